"""Whole sweeps with a formula in the place of the training."""

import json
import pickle
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import JsonlStore, Record, State
from experiments.evaluators.definition import EvaluatorDefinition, study_evaluator
from experiments.search.screening import Screen
from experiments.search.sweep import SweepSummary, run_sweep
from experiments.trials.callback import NullCallback
from search_space.candidate import Candidate
from tests.experiments_tests.search.stand_in import Formula, definition, value
from topformer.codec import from_json
from topformer.errors import DataError, EvaluationError, StorageError, StudyError

ONLY = {"injected": ["8+16+32"], "pooled": ["all"], "pool_stride": ["s64"], "heads": ["4"], "depth": ["1", "2"]}
TWELVE: dict[str, Any] = {
    "name": "paper",
    "base": "nano",
    "height": 128,
    "width": 128,
    "only": ONLY | {"width": ["64", "128"]},
}
"""2 depths, 2 widths and 3 heads."""


class Notes(NullCallback):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def sweep(
    folder: Path, *, notes: Notes | None = None, formula: dict[str, Any] | None = None, **changes: Any
) -> SweepSummary:
    make = partial(Formula, log=folder.parent / "log", **(formula or {}))
    return run_sweep(definition(**changes), folder, evaluator=make, callback=notes)


def records(folder: Path) -> list[Record]:
    return list(JsonlStore(folder / "records.jsonl"))


def ended(folder: Path, word: str = "end") -> Counter[str]:
    log = folder.parent / "log"
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return Counter(fingerprint for what, fingerprint in lines if what == word)


def candidate(record: Record) -> Candidate:
    return Candidate(design=from_json(dict(record.design)), height=record.height, width=record.width)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SweepSummary]:
    """Six designs evaluated by two workers, under a limit that about four fifths of the space exceed."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    return folder, sweep(folder, trials=6, workers=2, sampler="tpe", limits={"latency_ms": 1.0})


def test_as_many_designs_are_evaluated_as_asked_for(finished: tuple[Path, SweepSummary]) -> None:
    folder, summary = finished
    states = Counter(record.state for record in records(folder))
    assert states[State.COMPLETE] == summary.status.complete == 6
    assert states[State.PRUNED] == summary.status.pruned > 0
    assert summary.exit_status == 0


def test_records_hold_what_the_evaluator_said(finished: tuple[Path, SweepSummary]) -> None:
    complete = [record for record in records(finished[0]) if record.state is State.COMPLETE]
    assert [record.metrics["miou@formula"].value for record in complete] == [
        value(candidate(record)) for record in complete
    ]


def test_a_record_is_enough_to_make_the_candidate_again(finished: tuple[Path, SweepSummary]) -> None:
    for record in records(finished[0]):
        assert candidate(record).fingerprint == record.fingerprint


def test_no_design_has_two_records_and_no_number_is_used_twice(finished: tuple[Path, SweepSummary]) -> None:
    found = records(finished[0])
    assert len({record.fingerprint for record in found}) == len(found)
    assert sorted(record.trial for record in found) == list(range(len(found)))


def test_what_exceeds_a_limit_is_never_evaluated(finished: tuple[Path, SweepSummary]) -> None:
    folder, _ = finished
    screen = Screen(definition(limits={"latency_ms": 1.0}))
    for record in records(folder):
        exceeds = bool(screen.assess(candidate(record)).reason)
        assert (record.state is State.PRUNED) is exceeds
        assert ended(folder)[record.fingerprint] == (not exceeds)
        assert any((folder / "trials").glob(f"{record.fingerprint}*")) is not exceeds


def test_the_summary_says_what_pruning_may_have_lost(finished: tuple[Path, SweepSummary]) -> None:
    folder, summary = finished
    predicted = [record.metrics["latency_ms@snapdragon-865"] for record in records(folder)]
    # At alpha 0.05 and few degrees of freedom a design is pruned only where its prediction is above the limit.
    assert summary.wrong is not None
    assert 0 < summary.wrong.expected < 0.05 * summary.wrong.pruned
    assert summary.wrong.pruned == summary.status.pruned < sum(metric.value > 1.0 for metric in predicted)


def test_the_front_is_that_of_the_records(finished: tuple[Path, SweepSummary]) -> None:
    folder, summary = finished
    complete = [record for record in records(folder) if record.state is State.COMPLETE]
    points = [(r.metrics["miou@formula"].value, r.metrics["latency_ms@snapdragon-865"].value) for r in complete]
    front = {
        record.fingerprint
        for record, (x, y) in zip(complete, points, strict=True)
        if not any(a >= x and b <= y and (a, b) != (x, y) for a, b in points)
    }
    assert {record.fingerprint for record in summary.status.front} == front
    best = summary.status.best
    assert best is not None
    assert best.metrics["miou@formula"].value == max(x for x, _ in points)


def test_the_study_file_says_what_the_records_depend_on(finished: tuple[Path, SweepSummary]) -> None:
    study = json.loads((finished[0] / "study.json").read_text())
    assert study["objectives"] == [
        {"metric": "miou@formula", "direction": "maximize"},
        {"metric": "latency_ms@snapdragon-865", "direction": "minimize"},
    ]
    assert study["limits"] == {"latency_ms": 1.0, "alpha": 0.05}
    assert study["evaluator"] == {"kind": "formula", "data": {"name": "formula"}, "version": 1}
    assert {record.study for record in records(finished[0])} == {study["identity"]}


def test_the_pareto_files_are_written(finished: tuple[Path, SweepSummary]) -> None:
    files = finished[1].files
    assert files is not None
    assert all(path.stat().st_size > 0 for path in files)


def test_the_base_is_asked_for_first(tmp_path: Path) -> None:
    sweep(tmp_path / "run", trials=1)
    first = records(tmp_path / "run")[0]
    assert first.origin == "anchor"
    assert candidate(first) == definition().space.build().base


def test_a_continued_sweep_keeps_what_it_has_and_may_be_extended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(folder, trials=2)
    before = records(folder)
    summary = sweep(folder, trials=4, workers=2)
    assert records(folder)[: len(before)] == before
    assert summary.status.complete == 4
    assert set(ended(folder).values()) == {1}


def test_a_finished_sweep_that_is_started_again_evaluates_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(folder, trials=2)
    summary = sweep(folder, trials=2)
    assert summary.fresh == 0
    assert ended(folder).total() == 2


@pytest.mark.parametrize("sampler", ["exhaustive", "grid", "tpe", "nsga2"])
def test_a_small_space_is_evaluated_in_whole_once_and_the_sweep_ends(sampler: str, tmp_path: Path) -> None:
    notes = Notes()
    summary = sweep(tmp_path / "run", notes=notes, space=TWELVE, trials=50, sampler=sampler)
    assert summary.exhausted
    assert summary.status.complete == 12
    assert set(ended(tmp_path / "run").values()) == {1}
    assert notes.texts[-1] == "no design of the space is left to ask for, after 12"


def test_a_space_with_hardly_a_possible_design_ends_at_the_cap(tmp_path: Path) -> None:
    notes = Notes()
    summary = sweep(tmp_path / "run", notes=notes, limits={"macs": 1.3815e7}, asked=230)
    assert (summary.status.complete, summary.status.pruned) == (0, 230)
    assert summary.files is None
    assert notes.texts[-1] == "asked for 230 designs, as many as the study allows"


def test_a_failed_evaluation_is_a_record_and_another_design_takes_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    summary = sweep(folder, space=TWELVE, sampler="exhaustive", trials=8, formula={"fails_on": "concat"})
    failed = [record for record in records(folder) if record.state is State.FAILED]
    assert summary.status.complete == 8
    assert {record.labels["head"] for record in failed} <= {"concat"}
    assert {record.reason for record in failed} <= {"the loss is not finite"}
    assert len(failed) == summary.status.failed > 0


def test_a_sweep_whose_every_evaluation_fails_ends_and_says_why(tmp_path: Path) -> None:
    space = {**TWELVE, "only": {**TWELVE["only"], "head": ["concat"], "width": ["64", "96", "128"]}}
    # The base's head is the sum, and the space is checked to hold its base before it is restricted.
    with pytest.raises(EvaluationError, match=r"the first 5 evaluations failed.*the loss is not finite"):
        sweep(tmp_path / "run", space=space, trials=8, formula={"fails_on": "concat"})
    assert len(records(tmp_path / "run")) == 5


def test_a_worker_that_dies_is_replaced_and_the_design_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    formula = {"dies_on": "concat", "dies_once": True}
    summary = sweep(folder, space=TWELVE, sampler="exhaustive", trials=12, workers=2, formula=formula)
    assert (summary.status.complete, summary.status.failed) == (12, 0)
    assert sorted(ended(folder, "begin").values()) == [1] * 8 + [2] * 4


def test_a_design_that_kills_its_worker_twice_is_a_failed_record_with_the_last_words(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    only = {**TWELVE["only"], "depth": ["1"], "width": ["64"]}
    summary = sweep(
        folder, space={**TWELVE, "only": only}, sampler="exhaustive", trials=3, formula={"dies_on": "concat"}
    )
    assert (summary.status.complete, summary.status.failed) == (2, 1)
    reason = next(record.reason for record in records(folder) if record.state is State.FAILED)
    assert reason == "the worker died 2 times, last with signal SIGKILL: a last word"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 4}, "seed is 3 there and 4 here"),
        ({"limits": {"macs": 1e9}}, "limits.macs is null there and 1000000000.0 here"),
        ({"sampler": "tpe"}, 'sampler is "random" there and "tpe" here'),
        ({"evaluator": {"kind": "lean", "data": "tokenworld", "budget": 20}}, "budget is 10 there and 20 here"),
        ({"space": TWELVE}, "space.axes.pooled is "),
    ],
)
def test_the_folder_of_another_study_is_refused(change: dict[str, Any], difference: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sweep(folder, trials=1)
    before = (folder / "records.jsonl").read_bytes()
    with pytest.raises(StudyError, match="holds another study") as caught:
        sweep(folder, **change)
    assert difference in str(caught.value)
    assert (folder / "records.jsonl").read_bytes() == before


def test_a_folder_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"schema": 0}')
    with pytest.raises(StudyError, match="schema is 0 there and 1 here"):
        sweep(tmp_path)


def test_records_without_their_study_are_refused(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text("")
    with pytest.raises(StudyError, match="cannot be told whose it is"):
        sweep(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot make the folder .*: Not a directory"):
        sweep(tmp_path / "file" / "run")


def test_what_a_worker_is_given_survives_pickling(tmp_path: Path) -> None:
    chosen = EvaluatorDefinition(kind="lean", data=str(tmp_path), budget=3, settings={"batch": 4})
    make = pickle.loads(pickle.dumps(study_evaluator(chosen, height=128, width=128, data=tmp_path, note=print)))
    # The folder is no data set, and the worker's evaluator is the one to say so.
    with pytest.raises(DataError):
        make()


def test_the_embedded_set_is_square(tmp_path: Path) -> None:
    chosen = EvaluatorDefinition(kind="lean", data="tokenworld", budget=3)
    with pytest.raises(StudyError, match=r"square, got space.height 128 and width 96"):
        study_evaluator(chosen, height=128, width=96, data=tmp_path, note=print)


def test_importing_the_sweep_is_light() -> None:
    program = (
        "import sys, experiments.search.sweep, experiments.search.shipped\n"
        "import experiments.trials.progress, experiments.engines.local\n"
        "print(sorted({'torch', 'optuna', 'pandas', 'matplotlib', 'mmseg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
