"""What a sweep costs beside its trainings: milliseconds per pruned trial, against plain Optuna.

Every design is pruned by an impossible limit, so that nothing is trained and only the loop is timed: the sampler's
proposal, the check for duplicates, cost and latency in closed form, the durable record and the copy in Optuna's
journal. The peer is Optuna itself with the same sampler, space, costs and JournalStorage, as its documentation shows
it: one trial in the storage per proposal, no records, no check for duplicates, a history of every trial. Times are
those of the processor, so that neither other programs nor a slow disk disturb them.

    python benchmarks/sweep_overhead.py --trials 10000 --peer-trials 1000
"""

import argparse
import platform
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from experiments.engines.engine import Interruption
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.screening import Screen
from experiments.search.searcher import OptunaChooser
from experiments.search.source import SamplerSource
from experiments.search.status import Results
from experiments.search.study import Study
from experiments.trials.callback import NullCallback
from experiments.trials.loop import Loop
from experiments.trials.run_folder import LOGS, RunFolder
from search_space.candidate import Candidate

SAMPLERS = ("random", "nsga2", "tpe")


class Nothing:
    """An evaluator that is never asked."""

    metric = "miou@nothing"

    def describe(self) -> Mapping[str, Any]:
        """No settings."""
        return {"kind": "nothing"}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Refuse: every design is pruned."""
        raise AssertionError(f"{candidate.fingerprint} was to be pruned, not trained")


class Clock(NullCallback):
    """Notes when the first and the last record were there."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0

    def status(self, _status: object) -> None:
        """The first call comes after the screening, before the first trial."""
        self.ended = time.process_time()
        self.began = self.began or self.ended


def main() -> None:
    """Time every sampler, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="pruned trials of the sweep")
    parser.add_argument("--peer-trials", type=int, default=1000, help="trials of plain Optuna, and of a second sweep")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, Optuna {optuna.__version__}, {platform.machine()}; CPU ms per trial")
    print(f"{'sampler':8}{'sweep, ' + str(args.trials):>16}{'sweep, ' + str(args.peer_trials):>16}", end="")
    print(f"{'Optuna, ' + str(args.peer_trials):>16}{'ratio':>8}")
    for sampler in args.samplers:
        long, short = sweep(sampler, args.trials), sweep(sampler, args.peer_trials)
        peer = plain_optuna(sampler, args.peer_trials)
        print(f"{sampler:8}{long:16.2f}{short:16.2f}{peer:16.2f}{peer / short:7.2f}x", flush=True)


def sweep(sampler: str, trials: int) -> float:
    """CPU milliseconds per pruned trial of a sweep."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        study = Study.of(definition(sampler, trials), Nothing)
        results = Results(study.objectives, {}, trials)
        # Not through `run_sweep`, which refuses limits that no design meets.
        with (
            RunFolder(Path(folder), study.description) as run,
            Interruption() as interruption,
            LocalEngine(Workers(), logs=run.path / LOGS) as engine,
        ):
            study.screen.screened(study.space, run.path, clock.note)
            Loop(SamplerSource(study, run, results, earlier=(), note=clock.note), run, clock).run(engine, interruption)
    if results.status.pruned != trials:
        raise SystemExit(f"{sampler}: {results.status.pruned} pruned trials instead of {trials}")
    return (clock.ended - clock.began) / trials * 1e3


def plain_optuna(sampler: str, trials: int) -> float:
    """CPU milliseconds per pruned trial of Optuna used directly."""
    study = definition(sampler, trials)
    space, screen = study.space.build(), Screen(study)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        searcher = optuna.create_study(
            directions=["maximize", "minimize"],
            sampler=plain_sampler(sampler),
            storage=JournalStorage(JournalFileBackend(str(Path(folder) / "journal"))),
        )
        began = time.process_time()
        for _ in range(trials):
            trial = searcher.ask()
            assessment = screen.assess(space.suggest(OptunaChooser(trial)))
            for name, value in assessment.constraints.items():
                trial.set_constraint(name, value)
            searcher.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return (time.process_time() - began) / trials * 1e3


def plain_sampler(name: str) -> optuna.samplers.BaseSampler:
    """The sampler as a user of Optuna would make it."""
    match name:
        case "tpe":
            return optuna.samplers.TPESampler(seed=0, multivariate=True, group=True)
        case "nsga2":
            return optuna.samplers.NSGAIISampler(seed=0)
    return optuna.samplers.RandomSampler(seed=0)


def definition(sampler: str, trials: int) -> StudyDefinition:
    """A study that no design can pass."""
    return from_mapping(
        {
            "name": "overhead",
            "objectives": ["accuracy", "latency_ms"],
            "device": "snapdragon-865",
            "sampler": sampler,
            "trials": 1,
            "asked": trials,
            "consider": 1,
            "space": {"name": "paper", "base": "nano", "height": 128, "width": 128},
            "limits": {"macs": 1, "latency_ms": 3},
            "evaluator": {"kind": "lean", "data": "none", "budget": 1},
        }
    )


if __name__ == "__main__":
    main()
