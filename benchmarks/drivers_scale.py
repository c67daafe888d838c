"""Drivers against throughput: how many trials a second several drivers of one study put through one PostgreSQL server.

Each driver is a process with the real loop, sampler, claims and run folder; its evaluations take no time, on an engine
within the process. So what is timed is all that a trial costs besides: proposal, claim, record in the database and in
every folder, the copy for dashboards, and hearing of the others.

    python -m benchmarks.drivers_scale [--drivers 1 2 4] [--trials 500] [--slots 20] [--json]
"""

import argparse
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil

from benchmarks.engines_scale import Slots, definition
from benchmarks.sleeping import Sleeping
from experiments.engines.workers import Workers
from experiments.search.sweep import run_sweep
from tests.experiments_tests.search.claims.private_server import PrivateServer

ROOT = Path(__file__).parents[1]


class Spent(NamedTuple):
    """What a study took.

    Attributes:
        drivers: Processes that shared it.
        trials: Evaluated designs, each once.
        per_second: Trials a second of wall clock, all drivers together.
        driver_ms: CPU milliseconds of all drivers per trial.
        server_ms: CPU milliseconds of the database server per trial.
    """

    drivers: int
    trials: int
    per_second: float
    driver_ms: float
    server_ms: float


def main() -> None:
    """Time each number of drivers, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--slots", type=int, default=20, help="evaluations that each driver has under way")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drive", nargs=4, help="be a driver: folder, storage, trials, slots")
    args = parser.parse_args()
    if args.drive:
        print(json.dumps(drive(*args.drive)))
        return
    found = [run(drivers, args.trials, args.slots) for drivers in args.drivers]
    if args.json:
        print(json.dumps([spent._asdict() for spent in found], indent=1))
        return
    print(f"{'drivers':>8}{'trials':>8}{'per second':>12}{'driver CPU ms':>15}{'server CPU ms':>15}")
    for one in found:
        print(f"{one.drivers:8}{one.trials:8}{one.per_second:12.1f}{one.driver_ms:15.1f}{one.server_ms:15.1f}")


def run(drivers: int, trials: int, slots: int) -> Spent:
    """One study, by so many drivers that begin at once."""
    with TemporaryDirectory() as name, PrivateServer() as server:
        folders = [Path(name) / f"driver-{number}" for number in range(drivers)]
        started = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.drivers_scale",
                    "--drive",
                    folder,
                    server.url(),
                    str(trials),
                    str(slots),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for folder in folders
        ]
        while not all((folder.parent / f"{folder.name}.ready").exists() for folder in folders):
            if any(process.poll() for process in started):
                raise SystemExit("a driver did not start")
            time.sleep(0.1)
        before = _server_seconds(server)
        (Path(name) / "go").touch()
        answers = [json.loads(process.communicate()[0]) for process in started]
        server_seconds = _server_seconds(server) - before
    counts = {answer["trials"] for answer in answers}
    if counts != {trials}:
        raise SystemExit(f"the folders hold {sorted(counts)} trials instead of {trials}")
    wall = max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)
    cpu = sum(answer["cpu"] for answer in answers)
    return Spent(drivers, trials, trials / wall, cpu / trials * 1e3, server_seconds / trials * 1e3)


def drive(folder: str, storage: str, trials: str, slots: str) -> dict[str, Any]:
    """One driver: its wall clock from the start of the study to its end, its processor time, and what it has then."""
    own = Path(folder)
    study = definition("random", int(trials), storage=storage, objectives=["accuracy"])
    (own.parent / f"{own.name}.ready").touch()
    while not (own.parent / "go").exists():
        time.sleep(0.01)
    began, cpu = time.time(), time.process_time()
    summary = run_sweep(study, own, evaluator=partial(Sleeping, 0.0), engine=partial(_slots, int(slots)))
    return {
        "began": began,
        "ended": time.time(),
        "cpu": time.process_time() - cpu,
        "trials": summary.status.complete,
    }


def _slots(count: int, _workers: Workers, **_how: Any) -> Slots:
    return Slots(count)


def _server_seconds(server: PrivateServer) -> float:
    """Processor time of the server and of all its processes, also of those that have ended."""
    found = 0.0
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and str(server.folder) in " ".join(process.cmdline()):
                found += sum(process.cpu_times()[:4])
                found += sum(sum(child.cpu_times()[:4]) for child in process.children(recursive=True))
        except psutil.Error:
            continue
    return found


if __name__ == "__main__":
    main()
