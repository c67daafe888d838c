"""What a hundred thousand records cost: CPU seconds and memory of `topformer pareto`, and of a sweep that goes on.

A run folder is written with as many records of distinct designs as asked for, one in five of them complete with an
accuracy that follows from the design's size and a seeded error, the others pruned by their latency. Then each command
runs in a process of its own, whose processor time and largest resident memory the system reports.

    python -m benchmarks.records_scale --records 100000 [--json] [--keep FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from analysis.records.record import RECORDS, JsonlStore, Metric, Record, State
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.screening import predicted
from experiments.search.study import Study
from experiments.search.sweep import run_sweep
from experiments.trials.callback import NullCallback
from experiments.trials.run_folder import RunFolder
from search_space.candidate import Candidate
from search_space.cost.table import costs
from search_space.latency.calibration.devices import device
from topformer.codec import to_json

DEVICE, LIMIT_MS, COMPLETE = "snapdragon-865", 60.0, 5
_CHUNK = 1000
_VERSIONS = {"topformer-explorer": "0.2.0", "python": "3.11.2", "torch": "2.8.0", "optuna": "4.5.0", "numpy": "2.3.3"}


class Nothing:
    """An evaluator that is never asked: as many designs are complete as the study wants."""

    metric = "miou@nothing"

    def describe(self) -> dict[str, str]:
        """No settings."""
        return {"kind": "nothing"}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Refuse."""
        raise AssertionError(f"{candidate.fingerprint} was not to be evaluated")


class Spent(NamedTuple):
    """What a command took."""

    cpu_seconds: float
    wall_seconds: float
    megabytes: float


def main() -> None:
    """Write the folder, run both commands, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, default=None, help="folder of the run, written where it is not there yet")
    parser.add_argument("--resume", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.resume is not None:
        resume(args.resume, args.records)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "run"
        if not (folder / RECORDS).exists():
            write(folder, args.records)
        pareto = "from experiments.cli import entry; entry()"
        again = [sys.executable, __file__, "--records", str(args.records), "--resume", str(folder)]
        spent = {
            "pareto": run([sys.executable, "-c", pareto, "pareto", str(folder), "--out", str(folder / "figures")]),
            "resume": run(again),
        }
    if args.json:
        print(json.dumps({name: took._asdict() for name, took in spent.items()}))
        return
    for name, took in spent.items():
        print(f"{name:8}{took.cpu_seconds:8.1f} CPU s{took.wall_seconds:8.1f} s{took.megabytes:8.0f} MB")


def write(folder: Path, count: int, *, one_in: int = COMPLETE) -> None:
    """A run folder of a study with `count` records, of which one in so many is complete."""
    study = Study.of(definition(count, one_in=one_in), Nothing)
    store = JsonlStore(folder / RECORDS)
    with RunFolder(folder, study.description):
        rows = records(study, count, one_in=one_in)
        while part := list(islice(rows, _CHUNK)):
            store.append_many(part)


def records(study: Study, count: int, *, one_in: int = COMPLETE) -> Iterator[Record]:
    """Records of distinct designs, as a sweep would write them."""
    random = Random(0)
    space, model = study.space, device(DEVICE)
    designs = iter(space.sample(0, count))
    number = 0
    while chunk := [candidate.canonical() for candidate in islice(designs, _CHUNK)]:
        table, latency = costs(chunk), model.estimate_many(chunk)
        for i, candidate in enumerate(chunk):
            time_of = predicted(latency, i)
            accuracy = 40 * (1 - 2.0 ** (-time_of.value / 10)) + random.gauss(0, 1)
            is_complete = number % one_in == 0
            metrics = {
                "macs": Metric(value=int(table.macs[i]), source="exact"),
                "parameters": Metric(value=int(table.parameters[i]), source="exact"),
                study.screen.latency_metric: time_of,
            }
            if is_complete:
                ends = {"low": accuracy - 2, "high": accuracy + 2}
                metrics[Nothing.metric] = Metric(value=accuracy, source="trained", **ends)
            yield Record(
                study=study.identity,
                trial=number,
                state=State.COMPLETE if is_complete else State.PRUNED,
                fingerprint=candidate.fingerprint,
                fidelity=study.fidelity,
                design=to_json(candidate.design),
                height=candidate.height,
                width=candidate.width,
                labels=space.labels_of(candidate) or {},
                metrics=metrics,
                details={"constraints": {"latency_ms": -0.05 if is_complete else 0.6}},
                reason="" if is_complete else f"latency {time_of.value:.3g} ms exceeds the limit of {LIMIT_MS:g} ms",
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                versions=_VERSIONS,
            )
            number += 1


def resume(folder: Path, count: int) -> None:
    """Take the sweep up again: it has all it wants, so that it reads, tells its sampler and storage, and ends."""
    began = time.monotonic()

    class Clock(NullCallback):
        def note(self, text: str) -> None:
            print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

        def status(self, standing: object) -> None:
            print(f"{time.monotonic() - began:6.1f} s  ready: {standing}", file=sys.stderr, flush=True)
            # What comes after is the Pareto plot, timed on its own.
            os._exit(0)

    run_sweep(definition(count), folder, evaluator=Nothing, callback=Clock())


def run(command: list[str]) -> Spent:
    """Run a command alone."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    wall = time.monotonic() - began
    return Spent(round(usage.ru_utime + usage.ru_stime, 2), round(wall, 2), round(usage.ru_maxrss / 1024, 1))


def definition(count: int, *, one_in: int = COMPLETE) -> StudyDefinition:
    """A study that has one complete design in so many of `count` records, as many as it wants."""
    return from_mapping(
        {
            "name": "scale",
            "objectives": ["accuracy", "latency_ms"],
            "device": DEVICE,
            "sampler": "random",
            "trials": -(-count // one_in),
            "asked": 10 * count,
            "consider": 1000,
            "space": {"name": "paper", "base": "tiny", "height": 512, "width": 512},
            "limits": {"latency_ms": LIMIT_MS},
            "evaluator": {"kind": "lean", "data": "none", "budget": 1000},
        }
    )


if __name__ == "__main__":
    main()
