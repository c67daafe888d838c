"""What a person sees of a sweep."""

import io
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from analysis.records.record import JsonlStore
from experiments.search.definition import StudyDefinition
from experiments.search.status import Status
from experiments.search.sweep import run_sweep
from experiments.trials.progress import TrialProgress, record_line
from experiments.trials.trial import Standing
from tests.experiments_tests.search.stand_in import Formula, definition
from tests.experiments_tests.trials.test_loop import trial


def watched(study: StudyDefinition, folder: Path, *, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100)
    with TrialProgress(console) as progress:
        run_sweep(study, folder, evaluator=partial(Formula, log=folder.parent / "log"), callback=progress)
    return text.getvalue()


def test_off_a_terminal_every_evaluation_is_one_plain_line(tmp_path: Path) -> None:
    text = watched(definition(trials=2, consider=20), tmp_path / "run", terminal=False)
    lines = text.splitlines()
    assert "\x1b" not in text
    assert lines[0].startswith("20 of 106,272 designs screened by cost, ")
    for record in JsonlStore(tmp_path / "run" / "records.jsonl"):
        assert record_line(record) in lines
    assert any(line.startswith("2/2 evaluated, 0 pruned, best ") for line in lines)


def test_on_a_terminal_a_bar_counts_iterations(tmp_path: Path) -> None:
    text = watched(definition(trials=2, consider=20), tmp_path / "run", terminal=True)
    assert "20/20" in text
    assert "\x1b" in text


@pytest.mark.parametrize(("failed", "said"), [(0, False), (3, True)])
def test_failures_are_mentioned_where_there_are_some(failed: int, said: bool) -> None:
    status = Status(
        trials=9, complete=0, pruned=1234, failed=failed, objective="x", best=None, front=(), hypervolume=0.0
    )
    assert str(status).startswith("0/9 evaluated, 1,234 pruned")
    assert ("3 failed" in str(status)) is said


def test_the_time_left_is_that_of_the_iterations_once_they_were_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    text = io.StringIO()
    progress = TrialProgress(Console(file=text, width=100))
    progress.status(Standing(spent=0, total=1000, text="0/10 evaluated"))
    # Loading takes longer than all iterations.
    for seconds, done in ((500.0, 1), (510.0, 2), (560.0, 61)):
        clock[0] = seconds
        progress.iterations(trial(7), done, 100)
    lines = text.getvalue().splitlines()
    assert "left" not in "".join(lines[:-1])
    # A second for each of the 939 that are left, from 60 in 60 s.
    assert lines[-1].endswith("61/100, about 16 min left")


def test_scores_say_nothing_of_how_long_the_trainings_of_the_next_rung_take(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    text = io.StringIO()
    progress = TrialProgress(Console(file=text, width=100))
    score, training = trial(7), trial(8)
    score = replace(score, fidelity=replace(score.fidelity, budget=0))
    for seconds, spent, one, done in (
        (0, 0, score, 0),
        (100, 50, score, 1),
        (200, 100, training, 0),
        (260, 100, training, 60),
    ):
        clock[0] = float(seconds)
        progress.status(Standing(spent=spent, total=1100, text=""))
        progress.iterations(one, done, 100)
    lines = text.getvalue().splitlines()
    assert "left" not in "".join(lines[:-1])
    # A second for each of the 939 that are left: those of the trainings, not of the scores.
    assert lines[-1].endswith("60/100, about 16 min left")


def test_an_evaluation_that_another_driver_has_taken_over_is_said_and_has_no_bar() -> None:
    text = io.StringIO()
    with TrialProgress(Console(file=text, width=100)) as progress:
        progress.status(Standing(spent=0, total=10, text=""))
        progress.iterations(trial(7), 3, 10)
        progress.dropped(trial(7))
    assert f"trial 7 {trial(7).candidate.fingerprint}: another driver has taken it over" in text.getvalue()
