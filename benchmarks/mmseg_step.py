"""The step time of `topformer train` beside that of another version's mmsegmentation evaluator, in one run.

    python -m benchmarks.mmseg_step --other /path/to/another/clone [--iterations 60] [--rounds 6]

Both train NANO on the same tokenworld images at 128 px with batch 8 through mmsegmentation, each in a process of its
own with one thread. They take turns, so that what else the machine does strikes both: a round of iterations by one,
then by the other; the first round of each is not counted. Without `--other` this version's own evaluator is the peer,
which runs the same training.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent.parent
SIZE, BATCH = 128, 8
SIDES = ("train", "evaluator")

EVALUATOR = """
from pathlib import Path
from experiments.evaluators import evaluator
from search_space.candidate import Candidate
from topformer.presets import NANO
made = evaluator("mmseg", Path(data), {"batch": batch, "checkpoint_every": 10 * iterations})
candidate = Candidate(design=NANO, height=size, width=size)
made.evaluate(candidate, budget=iterations, seed=0, folder=Path(out), progress=progress)
"""
"""In the words of every version so far."""
TRAIN = """
from dataclasses import replace
from pathlib import Path
from experiments.data.folders import open_folder
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.settings import Machine
from experiments.training.train import train
from topformer.presets import NANO
recipe = replace(with_size(SCRATCH, size, size), batch=batch, iterations=iterations)
machine = Machine(checkpoint_every=10 * iterations)
train("mmseg", NANO, recipe, open_folder(Path(data)), Path(out), machine=machine, progress=progress)
"""
"""What `topformer train` calls, with the evaluator's recipe."""


def main() -> None:
    """Run both sides in turns, and print their times and the ratio."""
    given = _parser().parse_args()
    if given.side:
        _measure(given)
        return
    with TemporaryDirectory() as temporary:
        _compare(given, Path(temporary))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, default=HERE, help="a clone whose evaluator is the peer")
    parser.add_argument("--iterations", type=int, default=60, help="of a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    return parser


def _compare(given: argparse.Namespace, folder: Path) -> None:
    from experiments.data.tokenworld.write import write_tokenworld

    data = write_tokenworld(folder / "data", size=SIZE, training=400, validation=8)
    homes = {"train": HERE, "evaluator": given.other.resolve()}
    sides = {side: _start(given, side, home, data) for side, home in homes.items()}
    for _ in range(given.rounds):
        for process in sides.values():
            assert process.stdin
            assert process.stdout
            process.stdin.write("go\n")
            process.stdin.flush()
            while (line := process.stdout.readline()) != "done\n":
                if not line:
                    raise SystemExit("a side stopped before its end")
    found = {side: json.loads(process.communicate()[0].splitlines()[-1]) for side, process in sides.items()}
    for unit in ("s", "cpu_s"):
        ours, theirs = (found[side][unit][1:] for side in SIDES)
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        print(
            f"{unit:5} per iteration: train {statistics.median(ours):.4f}, evaluator {statistics.median(theirs):.4f}; "
            f"ratio of paired rounds: median {statistics.median(ratios):.2f}, "
            f"from {min(ratios):.2f} to {max(ratios):.2f}"
        )


def _start(given: argparse.Namespace, side: str, home: Path, data: Path) -> "subprocess.Popen[str]":
    """A fresh process with one thread, which runs the code of a clone and waits for its first turn."""
    options = ("--iterations", str(given.iterations), "--rounds", str(given.rounds), "--data", str(data))
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--side", side, *options],
        env={**os.environ, "PYTHONPATH": str(home), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _measure(given: argparse.Namespace) -> None:
    """Train one side, turn by turn; prints seconds per iteration of every round."""
    import torch

    torch.set_num_threads(1)
    times: dict[str, list[float]] = {"s": [], "cpu_s": []}
    clocks: dict[str, float] = {}

    def begin() -> None:
        sys.stdin.readline()
        clocks.update(s=time.perf_counter(), cpu_s=time.process_time())

    def progress(done: int, total: int) -> None:
        if done % given.iterations == 0:
            for unit, now in (("s", time.perf_counter()), ("cpu_s", time.process_time())):
                times[unit].append((now - clocks[unit]) / given.iterations)
            print("done", flush=True)
            if done < total:
                begin()

    begin()
    with TemporaryDirectory() as out:
        names = {"data": given.data, "out": out, "size": SIZE, "batch": BATCH, "progress": progress}
        code = TRAIN if given.side == "train" else EVALUATOR
        exec(code, {**names, "iterations": given.iterations * given.rounds})
    print(json.dumps(times))


if __name__ == "__main__":
    main()
