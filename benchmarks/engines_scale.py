"""What an engine and the loop cost beside the trainings: milliseconds per trial, with an evaluator that only sleeps.

Three things are timed. `local` and `ray` run as many trials as asked for on a few workers; what a trial takes beyond
its sleep, as each worker sees it, is the overhead: the loop's proposal and durable record, the way to the worker and
back.
`slots` runs them through the real loop on an engine within this process that has a thousand slots and no workers: CPU
milliseconds of the loop and the sampler, which is what one driver must do for every trial of a large cluster.

    python -m benchmarks.engines_scale [--trials 200] [--workers 2] [--only local ray slots] [--json]
"""

import argparse
import heapq
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from analysis.records.record import Key
from benchmarks.sleeping import Sleeping, scored
from experiments.engines import engine_maker
from experiments.engines.engine import Done, Engine, EngineMaker, Event, Interruption, Task
from experiments.engines.workers import Workers
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.source import SamplerSource
from experiments.search.status import Results
from experiments.search.study import Study
from experiments.trials.callback import NullCallback
from experiments.trials.loop import Loop
from experiments.trials.run_folder import LOGS, RunFolder

ENGINES = ("local", "ray", "slots")
SLOTS = 1000
_MOMENT_SECONDS = 0.02


class Slots:
    """An engine of many slots without workers: every task ends after a time on a clock of its own, at once."""

    def __init__(self, count: int) -> None:
        """All slots are free."""
        self._count, self._now = count, 0.0
        self._running: list[tuple[float, int, Task]] = []
        self._submitted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing runs."""

    @property
    def free(self) -> int:
        """Slots without a task."""
        return self._count - len(self._running)

    @property
    def busy(self) -> int:
        """Slots with one."""
        return len(self._running)

    def submit(self, task: Task) -> None:
        """Let it end between one and two units of time from now, in no order."""
        self._submitted += 1
        ends = self._now + 1 + (self._submitted * 0.618034) % 1
        heapq.heappush(self._running, (ends, self._submitted, task))

    def wait(self, _interruption: Interruption) -> list[Event]:
        """The next that ends; nothing after a moment where none runs, as while other drivers are waited for."""
        if not self._running:
            time.sleep(_MOMENT_SECONDS)
            return []
        self._now, _, task = heapq.heappop(self._running)
        return [Done(task.key, scored(task.candidate, task.key.fidelity.budget, task.key.seed, 1.0))]


class Spent(NamedTuple):
    """What a run took.

    Attributes:
        trials: Evaluated designs.
        overhead_ms: Wall-clock milliseconds of a worker per trial beyond its sleep; None without workers.
        driver_ms: CPU milliseconds of this process per trial.
        start_seconds: Wall clock until the workers were there.
    """

    trials: int
    overhead_ms: float | None
    driver_ms: float
    start_seconds: float


def main() -> None:
    """Time what is asked for, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sleep", type=float, default=0.05, help="seconds of each evaluation")
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = {name: run(name, args) for name in args.only}
    if args.json:
        print(json.dumps({name: spent._asdict() for name, spent in found.items()}, indent=1))
        return
    print(f"{'engine':8}{'trials':>8}{'overhead ms':>13}{'driver CPU ms':>15}{'start s':>9}")
    for name, spent in found.items():
        overhead = "-" if spent.overhead_ms is None else f"{spent.overhead_ms:.1f}"
        print(f"{name:8}{spent.trials:8}{overhead:>13}{spent.driver_ms:15.2f}{spent.start_seconds:9.1f}")


def run(name: str, args: argparse.Namespace) -> Spent:
    """One sweep through an engine."""
    study = Study.of(definition(args.sampler, args.trials), partial(Sleeping, args.sleep))
    results = Results(study.objectives, {}, args.trials)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder), study.description) as run:
        study.screen.screened(study.space, run.path, note)
        source = SamplerSource(study, run, results, earlier=(), note=note)
        with Interruption() as interruption, engine(name, args.workers, run.path / LOGS) as where:
            if name != "slots":
                warm(where, study, run.path, interruption, args.workers)
            ready, cpu = time.monotonic(), time.process_time()
            Loop(source, run, NullCallback()).run(where, interruption)
            wall, driver = time.monotonic() - ready, time.process_time() - cpu
    complete = results.status.complete
    if complete != args.trials:
        raise SystemExit(f"{name}: {complete} trials instead of {args.trials}")
    overhead = None if name == "slots" else (wall * args.workers / complete - args.sleep) * 1e3
    return Spent(complete, overhead, driver / complete * 1e3, ready - began)


def warm(where: Engine, study: Study, folder: Path, interruption: Interruption, workers: int) -> None:
    """Every worker has loaded what it needs."""
    (folder / "warm").mkdir()
    candidate = next(iter(study.space.sample(0, 1)))
    for seed in range(workers):
        key = Key(candidate.fingerprint, study.fidelity, seed)
        own = folder / "warm" / str(seed)
        own.mkdir()
        where.submit(Task(key, study.evaluator, candidate, own))
    while where.busy:
        where.wait(interruption)


def engine(name: str, workers: int, logs: Path) -> Engine:
    """The engine of that name, not entered yet."""
    if name == "slots":
        return Slots(SLOTS)
    maker: EngineMaker = engine_maker(name)
    return maker(Workers(count=workers), logs=logs)


def note(_text: str) -> None:
    """Nobody is told."""


def definition(sampler: str, trials: int, **more: Any) -> StudyDefinition:
    """A study without limits, of as many trials as asked for, with more keys."""
    return from_mapping(
        {
            "name": "scale",
            "objectives": ["accuracy", "macs"],
            "sampler": sampler,
            "trials": trials,
            "asked": 10 * trials,
            "consider": 1,
            "space": {"name": "paper", "base": "nano", "height": 128, "width": 128},
            "evaluator": {"kind": "lean", "data": "none", "budget": 1},
            **more,
        }
    )


if __name__ == "__main__":
    main()
