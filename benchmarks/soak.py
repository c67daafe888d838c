"""A shared sweep under more than a hundred kills: nothing lost, nothing evaluated twice, nothing left over.

Three drivers with two workers each evaluate every design of a space, in a PostgreSQL server of this program's own. At
random moments a worker or a driver is killed (SIGKILL), a worker is stopped (SIGSTOP), or the server is restarted as
after a power cut (`pg_ctl -m immediate`); as root, the disk of one driver is full once (a small tmpfs). What was killed
is started again at once, as a user or a supervisor would do. Then the same commands run to their end, and the records
of each run folder and of the database are compared with those of one driver that nobody disturbed.

An evaluation here takes a second or so, writes a checkpoint ten times, goes on from it, and answers from its folder
once it has finished, as trainings do; every step and every end is noted in one file, from which repetitions are seen.

    make soak            # or: python -m benchmarks.soak --kills 100 --json
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil

from analysis.records.record import JsonlStore, State
from analysis.records.study import read_study
from benchmarks.soak_fleet import MARK, Fleet
from experiments.evaluators.base import Accuracy, Progress
from experiments.search.claims.claims import Claims
from experiments.search.claims.database import Database
from experiments.search.definition import StudyDefinition, from_mapping
from experiments.search.sweep import run_sweep
from search_space.candidate import Candidate
from tests.experiments_tests.search.claims.private_server import PrivateServer
from topformer.errors import ExplorerError, StorageError
from topformer.files import write_json

WORKERS, STEPS = 2, 10
LEASE_SECONDS = 60.0
ONLY = {
    "pooled": ["all"],
    "pool_stride": ["s64"],
    "heads": ["4"],
    "depth": ["1", "2", "3"],
    "width": ["64", "96"],
}
"""What is left of the axes of `paper`: 246 designs."""
_DISK_MIB = 16


@dataclass(frozen=True)
class Stepping:
    """An evaluator that sleeps in steps, with a checkpoint after each."""

    log: Path
    seconds: float

    metric = "miou@soak"

    def describe(self) -> Mapping[str, Any]:
        """No settings: how long it takes changes no number."""
        return {"kind": "stepping"}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """Step by step, from the checkpoint; at once where the folder has the result."""
        checkpoint, result = folder / "checkpoint.json", folder / "result.json"
        done = json.loads(checkpoint.read_text())["step"] if checkpoint.exists() else 0
        for step in range(done, STEPS):
            time.sleep(self.seconds / STEPS)
            write_json(checkpoint, {"step": step + 1, "weights": "x" * 20_000})
            self._say("step", candidate)
            if progress is not None:
                progress(budget * (step + 1) // STEPS, budget)
        if not result.exists():
            write_json(result, {"value": score(candidate, seed)})
            self._say("end", candidate)
        value = json.loads(result.read_text())["value"]
        return Accuracy(metric=self.metric, value=value, source="trained", budget=budget, seed=seed, seconds=0.0)

    def _say(self, what: str, candidate: Candidate) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{what} {candidate.fingerprint}\n".encode())
        os.close(descriptor)


def score(candidate: Candidate, seed: int) -> float:
    """A number of the design and the seed."""
    return Random(f"{candidate.fingerprint} {seed}").uniform(20, 70)


def definition(storage: str, workers: int) -> StudyDefinition:
    """The study: every design of the space."""
    return from_mapping(
        {
            "name": "soak",
            "objectives": ["accuracy"],
            "sampler": "exhaustive",
            "trials": 100_000,
            "asked": 100_000,
            "consider": 1,
            "workers": workers,
            "storage": storage,
            "lease": LEASE_SECONDS,
            "seed": 3,
            "space": {"name": "paper", "base": "nano", "height": 128, "width": 128, "only": ONLY},
            "evaluator": {"kind": "lean", "data": "tokenworld", "budget": 100},
        }
    )


def drive(folder: str, log: str, seconds: str, storage: str) -> int:
    """One driver, as a process that is killed."""
    make = partial(Stepping, log=Path(log), seconds=float(seconds))
    try:
        return run_sweep(definition(storage, WORKERS), Path(folder), evaluator=make).exit_status
    except ExplorerError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of a few MiB at a folder; False where this user cannot make one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(folder)]
    made = os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def soak(kills: int, seconds: float, seed: int) -> dict[str, Any]:
    """The figures of one soak."""
    random, began = Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name, ExitStack() as stack:
        root = Path(name)
        expected = undisturbed(root / "undisturbed")
        server = stack.enter_context(PrivateServer())
        fleet = Fleet(root, server, seconds, random)
        stack.callback(fleet.close)
        has_disk = stack.enter_context(small_disk(fleet.folders[-1]))
        for folder in fleet.folders:
            fleet.start(folder)
        _until_begun(fleet.log)
        while fleet.hits.total() < kills:
            fleet.hit()
            if has_disk and not fleet.hits["full disk"] and fleet.hits.total() > kills / 3:
                fleet.fill_disk(fleet.folders[-1])
            if fleet.wait(random.uniform(0.1, 0.8)):
                raise SystemExit(f"the study ended after {fleet.hits.total()} hits: --seconds must be larger")
        ended = fleet.wait(900)
        # The designs that two deaths in a row made failed records are tried again by the next start.
        for folder in fleet.folders:
            fleet.start(folder)
        ended = fleet.wait(300) and ended
        return {
            "seconds": round(time.monotonic() - began),
            "hits": dict(fleet.hits),
            "full disk": has_disk or "skipped: a small disk can be mounted by root only",
            "ended": ended,
            **compare(fleet, server, expected),
        }


def undisturbed(folder: Path) -> set[tuple[str, float, int]]:
    """What one driver finds that nobody disturbs."""
    make = partial(Stepping, log=folder.parent / "undisturbed.log", seconds=0.0)
    run_sweep(definition("journal", WORKERS), folder, evaluator=make)
    return {_named(record) for record in JsonlStore(folder / "records.jsonl")}


def _named(record: Any) -> tuple[str, float, int]:
    return record.fingerprint, record.metrics["miou@soak"].value, record.seed


def _until_begun(log: Path) -> None:
    ends = time.monotonic() + 300
    while not log.exists():
        if time.monotonic() > ends:
            raise SystemExit("no driver began within five minutes")
        time.sleep(0.1)


def compare(fleet: Fleet, server: PrivateServer, expected: set[tuple[str, float, int]]) -> dict[str, Any]:
    """What the soak has to show."""
    ends = Counter(line.split()[1] for line in fleet.log.read_text().splitlines() if line.startswith("end "))
    steps = sum(line.startswith("step ") for line in fleet.log.read_text().splitlines())
    found = []
    for folder in fleet.folders:
        records = read_study(JsonlStore(folder / "records.jsonl")).records
        found.append({_named(record) for record in records if record.state is State.COMPLETE})
    time.sleep(1)
    return {
        "designs": len(expected),
        "lost": len(expected - found[0].intersection(*found[1:])),
        "evaluated twice to the end": sum(count > 1 for count in ends.values()),
        "steps repeated": steps - STEPS * len(expected),
        "equal to the undisturbed run": all(one == expected for one in found),
        "open claims": _open_claims(server, fleet.folders[0]),
        "processes left": _processes(fleet.log.parent),
        "files left": [str(path) for folder in fleet.folders for path in folder.rglob(".*.part")],
    }


def _open_claims(server: PrivateServer, folder: Path) -> int:
    study = json.loads((folder / "study.json").read_text())["identity"]
    database = Database(server.url(), print)
    try:
        return len(Claims(database, study, "nobody", lease=1.0).others())
    finally:
        database.close()


def _processes(root: Path) -> int:
    """Processes of any driver that still run, workers included, and ended ones that nobody asked about."""
    found = 0
    for process in psutil.process_iter():
        try:
            is_ours = process.environ().get(MARK) == str(root)
            found += is_ours or (process.status() == psutil.STATUS_ZOMBIE and process.ppid() == os.getpid())
        except psutil.Error:
            continue
    return found


def main() -> None:
    """Soak, and print what became of it; status 1 where anything was lost, repeated or left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one evaluation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drive", nargs=4, help="be a driver: folder, log, seconds, storage")
    args = parser.parse_args()
    if args.drive:
        sys.exit(drive(*args.drive))
    if shutil.which("su") is None and os.getuid() == 0:
        raise SystemExit("as root the server runs through su, which is not installed")
    try:
        figures = soak(args.kills, args.seconds, args.seed)
    except StorageError as error:
        raise SystemExit(str(error)) from None
    print(
        json.dumps(figures, indent=1) if args.json else "\n".join(f"{key}: {value}" for key, value in figures.items())
    )
    good = figures["ended"] and figures["equal to the undisturbed run"] and not figures["evaluated twice to the end"]
    sys.exit(0 if good and not (figures["lost"] or figures["processes left"] or figures["files left"]) else 1)


if __name__ == "__main__":
    main()
