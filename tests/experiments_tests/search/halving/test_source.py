"""The trials of a ladder."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.records.record import Record, State
from analysis.reports.run_report import read_run, run_front
from experiments.search.halving.ladder import Ladder
from experiments.search.sweep import SweepSummary, run_sweep
from experiments.trials.run_folder import RunFolder
from tests.experiments_tests.search.halving.ladders import by_rung, definition, ladder, makers, opened
from tests.experiments_tests.trials.conformance import complete, evaluated


@pytest.fixture
def climbing(tmp_path: Path) -> Ladder:
    return ladder(tmp_path)


@pytest.fixture
def run(tmp_path: Path, climbing: Ladder) -> Iterator[RunFolder]:
    with RunFolder(tmp_path / "run", climbing.top.description) as folder:
        yield folder


def climbed(found: Ladder, run: RunFolder, *, at_most: int = 50) -> list[Record]:
    """Evaluate one trial after the other; each source lives for one trial alone, as if it were killed after it."""
    done: list[Record] = []
    while len(done) < at_most and (trial := evaluated(opened(found, run))) is not None:
        run.begin(trial)
        value = float(trial.candidate.design.width + 10 * len(trial.candidate.design.injected))
        run.append([complete(trial, value)])
        done.append(complete(trial, value))
    return done


def test_a_source_that_is_killed_after_every_trial_climbs_on(climbing: Ladder, run: RunFolder) -> None:
    done = by_rung(climbing, climbed(climbing, run))
    assert [len(records) for records in done] == [8, 4, 4]
    assert len({record.key for records in done for record in records}) == 16
    # Whoever is on a rung was on the one below, and has one number throughout.
    numbers = [{record.fingerprint: record.trial for record in records} for records in done]
    assert numbers[2].items() <= numbers[1].items() <= numbers[0].items()
    assert Counter(record.seed for record in done[2]) == {3: 2, 4: 2}


def test_what_was_begun_is_taken_up_and_goes_on_from_the_rung_below(climbing: Ladder, run: RunFolder) -> None:
    climbed(climbing, run, at_most=12)
    first = evaluated(opened(climbing, run))
    assert first is not None
    assert first.continues == climbing.key(1, first.candidate, 3)
    run.begin(first)
    again = evaluated(opened(climbing, run))
    assert again is not None
    assert again.key == first.key


def test_the_anchor_is_confirmed_whatever_it_is_worth(climbing: Ladder, run: RunFolder) -> None:
    done = by_rung(climbing, climbed(climbing, run))
    base = climbing.top.space.base.fingerprint
    assert base in {record.fingerprint for record in done[2]}


def test_another_design_takes_the_place_of_one_that_fails(climbing: Ladder, run: RunFolder) -> None:
    # After both seeds of the anchor, which is tried again and again.
    climbed(climbing, run, at_most=14)
    trial = evaluated(opened(climbing, run))
    assert trial is not None
    assert trial.origin == "sampler"
    run.append([trial.record(State.FAILED, seconds=1.0, reason="the loss is nan")])
    rest = by_rung(climbing, climbed(climbing, run, at_most=20))
    assert [record.seed for record in rest[2]] == [3, 4]
    assert trial.candidate.fingerprint not in {record.fingerprint for record in rest[2]}
    assert "1 failed" in opened(climbing, run).standing.text


def test_the_standing_counts_iterations_and_designs(climbing: Ladder, run: RunFolder) -> None:
    total = 8 * 5 + 4 * 10 + 2 * 2 * 10
    assert (opened(climbing, run).standing.spent, opened(climbing, run).standing.total) == (0, total)
    climbed(climbing, run)
    standing = opened(climbing, run).standing
    assert standing.spent == total
    assert standing.text.startswith("8/8, then 4/4, then 2/2 designs; 4/4 evaluated")


def test_a_sweep_climbs_and_its_front_is_that_of_the_last_rung(tmp_path: Path) -> None:
    study = definition(sampler="tpe", rounds=2, workers=2, trials=10)

    def sweep() -> SweepSummary:
        return run_sweep(study, tmp_path / "run", rungs=makers(tmp_path))

    summary = sweep()
    assert (summary.status.complete, summary.fresh, summary.exit_status) == (4, 4, 0)
    found = read_run(tmp_path / "run")
    assert Counter(record.fidelity.budget for record in found.lower) == {5: 10, 10: 4}
    assert [record.details["seeds"].keys() for record in found.records] == [{"3", "4"}] * 2
    assert {record.fingerprint for record in run_front(found).records} == {one.fingerprint for one in found.records}
    assert summary.files is not None
    # A finished sweep has nothing left to do.
    assert sweep().fresh == 0
