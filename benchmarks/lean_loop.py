"""The lean training loop against mmsegmentation's: updates per second, and whether they reach the same mIoU.

    python -m benchmarks.lean_loop [--updates 300] [--seeds 2] [--folder FOLDER]

Both train NANO on the same tokenworld images, from the same weights, with one thread, each in a process of its own.
Takes about six minutes on one core.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

KINDS = ("lean", "mmseg")
SIZE, TRAINING, VALIDATION = 128, 2000, 200


def main() -> None:
    """Run both, one after the other, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="kept between runs; a temporary one otherwise")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]), given.updates, given.folder)))
        return
    with TemporaryDirectory() as temporary:
        compare(given.folder or Path(temporary), given.updates, given.seeds)


def compare(folder: Path, updates: int, seeds: int) -> None:
    """Print one line per run, then the ratios and the spreads."""
    from experiments.data.tokenworld import write_tokenworld

    write_tokenworld(folder / "data", size=SIZE, training=TRAINING, validation=VALIDATION)
    print(f"{platform.processor() or platform.machine()}, {platform.system()}, one thread, {updates} updates of NANO")
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        for kind in KINDS:
            runs[kind].append(found := run(kind, seed, updates, folder))
            print(
                f"{kind:6} seed {seed}: {found['updates_per_s']:6.2f} updates/s, {found['cpu_s']:6.1f} CPU s in all, "
                f"mIoU {found['miou']:5.2f}"
            )
    report(runs)


def report(runs: dict[str, list[dict[str, float]]]) -> None:
    """Ratios of the medians, and mean and spread of the mIoU."""
    for name, unit in (("updates_per_s", "updates per second"), ("cpu_updates_per_s", "updates per CPU second")):
        lean, peer = (statistics.median(run[name] for run in runs[kind]) for kind in KINDS)
        print(f"{unit}: lean {lean:.2f}, mmsegmentation {peer:.2f}, ratio {lean / peer:.2f}")
    for kind in KINDS:
        values = [run["miou"] for run in runs[kind]]
        print(f"mIoU {kind:6}: mean {statistics.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}")


def run(kind: str, seed: int, updates: int, folder: Path) -> dict[str, float]:
    """One training in a fresh process with one thread."""
    command = [sys.executable, "-m", "benchmarks.lean_loop", "--one", kind, str(seed)]
    done = subprocess.run(
        [*command, "--updates", str(updates), "--folder", str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(kind: str, seed: int, updates: int, folder: Path) -> dict[str, float]:
    """Train, and time the updates between the tenth and the last, which leaves out loading and scoring."""
    from experiments.evaluators import evaluator
    from search_space.candidate import Candidate
    from topformer.presets import NANO

    clock: dict[int, tuple[float, float]] = {}
    first = min(10, updates - 1)

    def progress(done: int, _: int) -> None:
        if done in (first, updates):
            clock[done] = (time.perf_counter(), time.process_time())

    with TemporaryDirectory() as work:
        made = evaluator(kind, folder / "data", {"checkpoint_every": 10 * updates})
        candidate = Candidate(design=NANO, height=SIZE, width=SIZE)
        accuracy = made.evaluate(candidate, budget=updates, seed=seed, folder=Path(work), progress=progress)
    wall, cpu = (clock[updates][i] - clock[first][i] for i in (0, 1))
    return {
        "updates_per_s": (updates - first) / wall,
        "cpu_updates_per_s": (updates - first) / cpu,
        "cpu_s": time.process_time(),
        "miou": accuracy.value,
    }


if __name__ == "__main__":
    main()
