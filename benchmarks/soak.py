"""A shared sweep under more than a hundred kills: nothing lost, nothing evaluated twice, nothing left over.

Three drivers with two workers each evaluate every design of a space, in a PostgreSQL server of this program's own; the
workers of one of them are those of a Ray cluster of this program's own, too. At random moments a worker or a driver is
killed (SIGKILL), a machine of the cluster, or the server as by a power cut (`pg_ctl -m immediate`), or a worker is
stopped for a moment (SIGSTOP); as root, the disk of one driver is full once (a small tmpfs). What was killed is started
again at once, as a user or a supervisor would do. Then the same commands run to their end, and the records of each run
folder and of the database are compared with those of one driver that nobody disturbed.

An evaluation here takes a few seconds, writes a checkpoint ten times, goes on from it, and answers from its folder
once it has finished, as trainings do; every step and every end is noted in one file, from which repetitions are seen.

    make soak            # or: python -m benchmarks.soak --kills 100 --json
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from analysis.records.record import JsonlStore, Record, State
from analysis.records.study import read_study
from benchmarks.soak_driver import STEPS, Stepping, definition
from benchmarks.soak_fleet import Fleet
from benchmarks.soak_machines import MARK, Machines, left
from experiments.search.claims.claims import Claims
from experiments.search.claims.database import Database
from experiments.search.sweep import run_sweep
from tests.experiments_tests.search.claims.private_server import PrivateServer
from topformer.errors import StorageError

LONGEST_SECONDS = 2_700.0
"""A soak that has not ended by then has failed."""
_DISK_MIB = 16
_GRACE_SECONDS = 20


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
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        root = Path(name)
        expected = undisturbed(root / "undisturbed")
        # By which all that is started from here on is known.
        os.environ[MARK] = name
        with ExitStack() as stack:
            server = stack.enter_context(PrivateServer())
            machines = stack.enter_context(closing(Machines(root / "ray", Random(seed))))
            fleet = Fleet(root, server, machines, seconds, Random(seed))
            stack.callback(fleet.close)
            has_disk = stack.enter_context(small_disk(fleet.folders[-1]))
            ended = disturb(fleet, kills, has_disk=has_disk, ends=began + LONGEST_SECONDS)
            figures = {
                "hits": dict(fleet.hits),
                "kills": fleet.kills,
                "full disk": has_disk or "skipped: a small disk can be mounted by root only",
                "ended": ended,
                **compare(fleet, server, expected),
                "said": Counter(line.partition(": ")[2][:100] for line in fleet.errors.read_text().splitlines()),
            }
        return {"seconds": round(time.monotonic() - began), **figures, "processes left": _left(root)}


def disturb(fleet: Fleet, kills: int, *, has_disk: bool, ends: float) -> bool:
    """Let the drivers run, hit them so often, and let them come to their end; whether they did."""
    random, began, said = Random(kills), time.monotonic(), 0
    for folder in fleet.folders:
        fleet.start(folder)
    _until_begun(fleet.log)
    while fleet.kills < kills:
        fleet.hit()
        if has_disk and not fleet.hits["full disk"] and fleet.kills > kills / 3:
            fleet.fill_disk(fleet.folders[-1])
        if fleet.wait(random.uniform(0.1, 0.8)):
            raise SystemExit(f"the study ended after {fleet.kills} kills: --seconds must be larger")
        if fleet.kills >= said + 10:
            said = fleet.kills
            print(f"{said} kills, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if time.monotonic() > ends:
            return False
    ended = fleet.wait(ends - time.monotonic())
    # The designs that two deaths in a row made failed records are tried again by the next start.
    for folder in fleet.folders:
        fleet.start(folder)
    return fleet.wait(300) and ended


def undisturbed(folder: Path) -> set[tuple[str, float, int]]:
    """What one driver finds that nobody disturbs."""
    make = partial(Stepping, log=folder.parent / "undisturbed.log", seconds=0.0)
    run_sweep(definition("journal"), folder, evaluator=make)
    return {_named(record) for record in JsonlStore(folder / "records.jsonl")}


def _named(record: Record) -> tuple[str, float, int]:
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
    return {
        "designs": len(expected),
        "lost": len(expected - found[0].intersection(*found[1:])),
        "evaluated twice to the end": sum(count > 1 for count in ends.values()),
        "steps repeated": steps - STEPS * len(expected),
        "equal to the undisturbed run": all(one == expected for one in found),
        "open claims": _open_claims(server, fleet.folders[0]),
        "files left": [str(path) for folder in fleet.folders for path in folder.rglob(".*") if _is_left(path)],
    }


def _is_left(path: Path) -> bool:
    """Whether a hidden file is what a write or a start has left behind."""
    return path.name.endswith(".part") or path.name.startswith(".shared-")


def _open_claims(server: PrivateServer, folder: Path) -> int:
    study = json.loads((folder / "study.json").read_text())["identity"]
    database = Database(server.url(), print)
    try:
        return len(Claims(database, study, "nobody", lease=1.0).others())
    finally:
        database.close()


def _left(root: Path) -> list[str]:
    """Processes that have not ended some seconds after all was closed."""
    ends = time.monotonic() + _GRACE_SECONDS
    while (found := left(root)) and time.monotonic() < ends:
        time.sleep(0.5)
    return found


def main() -> int:
    """Soak, and print what became of it; status 1 where anything was lost, repeated or left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=6.0, help="of one evaluation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if shutil.which("su") is None and os.getuid() == 0:
        raise SystemExit("as root the server runs through su, which is not installed")
    # So that nothing is left of a soak that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before its end"))
    try:
        figures = soak(args.kills, args.seconds, args.seed)
    except StorageError as error:
        raise SystemExit(str(error)) from None
    lines = [f"{key}: {value}" for key, value in figures.items()]
    print(json.dumps(figures, indent=1) if args.json else "\n".join(lines))
    bad = ("lost", "evaluated twice to the end", "open claims", "processes left", "files left")
    return int(any(figures[key] for key in bad) or not (figures["ended"] and figures["equal to the undisturbed run"]))


if __name__ == "__main__":
    raise SystemExit(main())
