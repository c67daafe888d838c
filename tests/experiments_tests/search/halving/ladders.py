"""A small study with three rungs, whose accuracies are formulas."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from analysis.records.record import Record
from analysis.records.study import read_study
from experiments.evaluators.base import Accuracy, EvaluatorMaker, Progress
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.halving.ladder import Ladder
from experiments.search.halving.source import LadderSource
from experiments.search.status import Results
from experiments.trials.run_folder import RunFolder
from search_space.candidate import Candidate
from tests.experiments_tests.search.stand_in import Formula, value

LEAN: dict[str, Any] = {"kind": "lean", "data": "tokenworld"}


@dataclass(frozen=True)
class Score(Formula):
    """A cheap score of another metric and scale, which prefers the wrong head."""

    metric = "score@formula"

    def describe(self) -> dict[str, Any]:
        return {"kind": "score", "data": {"name": "formula"}, "version": 1}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        worth = value(candidate) / 1000 + (candidate.design.head.value == "concat") * 0.001
        return Accuracy(metric=self.metric, value=worth, source="proxy", budget=budget, seed=seed, seconds=0.0)


def tables(**changes: Any) -> dict[str, Any]:
    """The tables of the study file; a change to None takes the key away."""
    found: dict[str, Any] = {
        "name": "climb",
        "objectives": ["accuracy", "latency_ms"],
        "device": "snapdragon-865",
        "sampler": "random",
        "trials": 8,
        "consider": 50,
        "seed": 3,
        "space": {"name": "paper", "base": "nano", "height": 128, "width": 128},
        "rung": [
            {"evaluator": {**LEAN, "budget": 5}, "keep": 4, "strata": ["pool_stride"]},
            {"evaluator": {**LEAN, "budget": 10, "settings": {"schedule": 20}}, "eta": 2},
            {"evaluator": {**LEAN, "budget": 20, "settings": {"schedule": 20}}, "seeds": 2},
        ],
    }
    return {name: item for name, item in (found | changes).items() if item is not None}


def definition(**changes: Any) -> StudyDefinition:
    return from_mapping(tables(**changes))


def makers(folder: Path) -> list[EvaluatorMaker]:
    return [
        partial(Score, log=folder / "score"),
        partial(Formula, log=folder / "log"),
        partial(Formula, log=folder / "log"),
    ]


def ladder(folder: Path, **changes: Any) -> Ladder:
    return Ladder.of(definition(**changes), makers(folder))


def opened(found: Ladder, run: RunFolder) -> LadderSource:
    earlier = read_study(run.records, study=found.top.identity, fidelity=found.top.fidelity).records
    results = Results(found.top.objectives, {}, found.definition.evaluations)
    return LadderSource(found, run, results, earlier=earlier, note=lambda _text: None)


def by_rung(found: Ladder, records: Iterable[Record]) -> list[list[Record]]:
    parted: list[list[Record]] = [[] for _ in found.rungs]
    for record in records:
        parted[[study.fidelity for study in found.rungs].index(record.fidelity)].append(record)
    return parted
