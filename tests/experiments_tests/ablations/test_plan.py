from dataclasses import replace
from typing import Any

import pytest

from analysis.records.record import Metric, Record, State
from analysis.results.power import KNOWN_NOISE
from experiments.ablations.definition import read_table, table, table_names
from experiments.ablations.plan import (
    Base,
    Identity,
    Job,
    noise,
    paid_runs,
    plan,
    power,
    seconds_per_iteration,
)
from search_space.candidate import Candidate
from topformer.codec import to_json
from topformer.design import Extractor
from topformer.errors import StudyError
from topformer.presets import NANO, TINY

METRIC = "miou@tokenworld-128"
BASE = Base(name="nano", candidate=Candidate(design=NANO, height=128, width=128))
SETTINGS = {"kind": "formula", "data": {"name": "tokenworld-128"}}
IDENTITY = Identity(study="abc", metric=METRIC, settings=SETTINGS)
OTHER = Identity(study="def", metric=METRIC, settings={**SETTINGS, "batch": 4})
ALL = [table(name) for name in table_names()]


def record(job: Job, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "study": "abc",
        "trial": 0,
        "state": State.COMPLETE,
        "fingerprint": job.candidate.fingerprint,
        "design": to_json(job.candidate.design),
        "height": 128,
        "width": 128,
        "metrics": {METRIC: Metric(value=50.0, source="trained")},
        "details": {"ablation": {"table": job.table, "row": job.row}, "evaluator": SETTINGS, "metric": METRIC},
        "seed": job.seed,
        "fidelity": IDENTITY.fidelity(128, 128, 800),
        "seconds": 80.0,
    }
    return Record(**{**values, **changes})


def test_tables_2_to_8_need_fifteen_networks() -> None:
    # 22 rows, of which the base stands in all seven tables and the sum injection in two: 22 - 6 - 1 = 15.
    found = plan(ALL, BASE, (0, 1, 2))
    assert len({job.candidate.fingerprint for job in found.jobs}) == 15
    assert len(found.jobs) == 45
    assert sum(one.runs for one in found.tables) == 22 * 3


def test_the_first_seed_of_every_row_comes_first() -> None:
    seeds = [job.seed for job in plan(ALL, BASE, (0, 1, 2)).jobs]
    assert seeds == sorted(seeds)


def test_a_shared_run_names_the_table_that_runs_it() -> None:
    found = {one.id: one for one in plan(ALL, BASE, (0, 1, 2)).tables}
    assert dict(found["table-6"].shared) == {"table-2": 3, "table-5": 3}
    assert found["table-6"].fresh == 3
    assert found["table-1"].runs == 0


def test_what_was_paid_is_not_run_again_and_names_its_payer() -> None:
    first = plan([table("table-3")], BASE, (0, 1))
    paid = paid_runs([record(job) for job in first.jobs], IDENTITY, 800)
    found = plan([table("table-3"), table("table-8")], BASE, (0, 1), paid=paid)
    assert found.reused == 6
    assert [one.fresh for one in found.tables] == [0, 4]
    assert dict(found.tables[1].paid) == {"table-3": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"fidelity": OTHER.fidelity(128, 128, 800)},
        {"fidelity": IDENTITY.fidelity(128, 128, 1200)},
        {"seed": 7},
        {"state": State.FAILED, "metrics": {}},
    ],
    ids=["evaluator", "budget", "seed", "failure"],
)
def test_another_evaluator_budget_seed_or_a_failure_pays_for_nothing(changes: dict[str, Any]) -> None:
    jobs = plan([table("table-2")], BASE, (0,)).jobs
    paid = paid_runs([record(job, **changes) for job in jobs], IDENTITY, 800)
    assert len(plan([table("table-2")], BASE, (0,), paid=paid).jobs) == len(jobs)


def test_a_run_has_the_classes_of_the_data() -> None:
    base = Base(name="tiny", candidate=Candidate(design=TINY, height=128, width=128))
    designs = [job.candidate.design for job in plan([table("table-2")], base, (0,), classes=11).jobs]
    assert [one.num_classes for one in designs] == [11, 11]


def test_an_edit_that_a_base_does_not_take_names_the_row_and_the_base() -> None:
    local = Candidate(design=replace(NANO, extractor=Extractor.NONE), height=128, width=128)
    base = Base(name="mine", candidate=local)
    rows = [{"label": "a"}, {"label": "b", "edits": {"depth": "1"}}]
    mine = read_table({"id": "t", "title": "t", "base": "nano", "size": 128, "baseline": "a", "rows": rows})
    with pytest.raises(StudyError, match="row 'b' on base mine: edit depth = '1': axis 'depth' does not apply"):
        plan([mine], base, (0,))


def test_the_noise_is_the_known_one_until_the_records_say_more() -> None:
    (job, *_) = plan([table("table-2")], BASE, (0,)).jobs
    few = [record(job, seed=seed, metrics={METRIC: Metric(value=50.0 + seed, source="trained")}) for seed in range(4)]
    assert noise(METRIC, few) is KNOWN_NOISE[METRIC]
    more = [*few, record(job, seed=4, metrics={METRIC: Metric(value=54.0, source="trained")})]
    found = noise(METRIC, more)
    assert found is not None
    # 0, 1, 2, 3, 4: squares 4 + 1 + 0 + 1 + 4 over 4; half of all chi squares of 4 degrees are above 3.357.
    assert found.largest == pytest.approx(2.5**0.5)
    assert found.sd == pytest.approx((2.5 * 4 / 3.357) ** 0.5, rel=1e-3)
    assert noise("miou@unheard-of", []) is None


def test_the_power_of_a_plan_is_that_of_the_typical_noise() -> None:
    text = power(2, 3, KNOWN_NOISE[METRIC], 2.0)
    assert text.startswith(
        "3 seeds can show a difference to the baseline of 4.9 points or more; 2 points would need 12"
    )
    assert power(3, 1, KNOWN_NOISE[METRIC], 2.0).startswith("one seed can show no difference")
    assert power(3, 3, None, 2.0) == ""


def test_the_pace_is_that_of_the_same_study_and_budget() -> None:
    (job, *_) = plan([table("table-2")], BASE, (0,)).jobs
    short, other = IDENTITY.fidelity(128, 128, 20), OTHER.fidelity(128, 128, 800)
    records = [record(job), record(job, fidelity=short, seconds=60.0), record(job, fidelity=other, seconds=1.0)]
    assert seconds_per_iteration(records, IDENTITY, 800) == pytest.approx(0.1)
    assert seconds_per_iteration(records, IDENTITY, 400) == pytest.approx(140 / 820)
    assert seconds_per_iteration([], IDENTITY, 800) is None


def test_a_record_of_a_sweep_is_no_record_of_an_ablation() -> None:
    (job, *_) = plan([table("table-2")], BASE, (0,)).jobs
    with pytest.raises(StudyError, match="is of no ablation"):
        Identity.of_record(record(job, details={}))
