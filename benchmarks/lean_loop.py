"""The lean training loop against mmsegmentation's: images per second, and whether they reach the same mIoU.

    python -m benchmarks.lean_loop [--setting nano-128] [--iterations 300] [--seeds 2]
    python -m benchmarks.lean_loop --setting tiny-512 --iterations 12 --seeds 1
    python -m benchmarks.lean_loop --setting tiny-512 --data data/ade20k --device cuda --batch 16 --workers 8
                                   --iterations 2000 --round 200 --seeds 1 --precision bfloat16 --loss-stride 2

Both sides train the same network from the same weights on the same images with the same batch and schedule, each in a
process of its own with one thread. They take turns, so that what else the machine does strikes both: a round of
iterations by one, then by the other; the first round of each is not counted. mIoU is of the whole validation split at
the end. `nano-128` is NANO on tokenworld at 128 px, batch 8; `tiny-512` is TINY at 512 px with the release's recipe and
augmentation on images of mixed sizes, batch 4 by default.
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
from typing import Any

KINDS = ("lean", "mmseg")
SIZES = {"nano-128": 128, "tiny-512": 512}
BATCHES = {"nano-128": 8, "tiny-512": 4}
IMAGES = {"nano-128": (2000, 200), "tiny-512": (48, 4)}
SHORT, LONG = 384, 768
"""Least and largest side of an image of mixed size."""

Run = dict[str, Any]


def main() -> None:
    """Run both sides of every seed and print the comparison."""
    given = _parser().parse_args()
    if given.one:
        print(json.dumps(measure(given)))
        return
    with TemporaryDirectory() as temporary:
        compare(given, given.folder or Path(temporary))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=sorted(SIZES), default="nano-128")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--round", type=int, default=None, help="iterations of a turn; a tenth of all by default")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--data", type=Path, default=None, help="a data set in ADE20K layout; tokenworld otherwise")
    parser.add_argument("--folder", type=Path, help="where tokenworld is kept between runs; a temporary one otherwise")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that load data for mmsegmentation")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of both sides")
    parser.add_argument("--loss-stride", type=int, default=1, help="of the lean side")
    parser.add_argument("--compile", default="none", help="of the lean side")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "SEED"), help=argparse.SUPPRESS)
    return parser


def compare(given: argparse.Namespace, folder: Path) -> None:
    """Print one line per run, then the ratios and the spreads."""
    given.data = given.data or write(given.setting, folder)
    batch = given.batch or BATCHES[given.setting]
    print(f"{platform.processor() or platform.machine()}, {given.device}, {given.setting}, batch {batch}")
    runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    for seed in range(given.seeds):
        for kind, found in zip(KINDS, duel(given, seed), strict=True):
            runs[kind].append(found)
            speeds = [f"{batch / statistics.median(found[unit]):.2f} images per {unit}" for unit in ("s", "cpu_s")]
            print(f"{kind:6} seed {seed}: {', '.join(speeds)}, mIoU {found['miou']:.2f}", flush=True)
    report(runs, batch)


def report(runs: dict[str, list[Run]], batch: int) -> None:
    """Median ratio of the turns, and mean and spread of the mIoU."""
    for unit, words in (("s", "second"), ("cpu_s", "CPU second")):
        lean, peer = ([value for run in runs[kind] for value in run[unit]] for kind in KINDS)
        ratio = statistics.median(theirs / ours for ours, theirs in zip(lean, peer, strict=True))
        speeds = [batch / statistics.median(values) for values in (lean, peer)]
        print(f"images per {words}: lean {speeds[0]:.1f}, mmsegmentation {speeds[1]:.1f}, ratio {ratio:.2f}")
    for kind in KINDS:
        values = [run["miou"] for run in runs[kind]]
        print(f"mIoU {kind:6}: mean {statistics.mean(values):.2f}, from {min(values):.2f} to {max(values):.2f}")


def duel(given: argparse.Namespace, seed: int) -> list[Run]:
    """Both sides of one seed, turn by turn."""
    sides = [start(given, kind, seed) for kind in KINDS]
    turns = -(-given.iterations // turn(given))
    for _ in range(turns):
        for side in sides:
            assert side.stdin
            assert side.stdout
            side.stdin.write("go\n")
            side.stdin.flush()
            if side.stdout.readline() != "done\n":
                raise SystemExit("a side stopped before its end")
    return [json.loads(side.communicate()[0]) for side in sides]


def turn(given: argparse.Namespace) -> int:
    """Iterations of a turn."""
    return int(given.round or max(1, given.iterations // 10))


def start(given: argparse.Namespace, kind: str, seed: int) -> "subprocess.Popen[str]":
    """One side in a fresh process with one thread, which waits for its first turn."""
    named = ("setting", "iterations", "data", "device", "workers", "precision", "loss_stride", "compile")
    options = [
        text
        for name in (*named, "round", "batch")
        if getattr(given, name) is not None
        for text in (f"--{name.replace('_', '-')}", str(getattr(given, name)))
    ]
    hidden = {} if given.device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.lean_loop", "--one", kind, str(seed), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", **hidden},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def measure(given: argparse.Namespace) -> Run:
    """Train one side, turn by turn; seconds per iteration of every turn but the first, and the final mIoU."""
    from dataclasses import replace

    from experiments.evaluators.lean import LeanEvaluator
    from experiments.evaluators.mmseg import MmsegEvaluator
    from search_space.candidate import Candidate
    from topformer.presets import NANO, TINY

    size, every = SIZES[given.setting], turn(given)
    made = (LeanEvaluator if given.one[0] == "lean" else MmsegEvaluator)(given.data, *settings(given))
    clocks: list[tuple[int, float, float]] = []
    seconds: list[tuple[float, float]] = []

    def begin(done: int) -> None:
        sys.stdin.readline()
        clocks.append((done, time.perf_counter(), time.process_time()))

    def progress(done: int, budget: int) -> None:
        if done % every and done != budget:
            return
        wait_for_device(given.device)
        before, wall, cpu = clocks[-1]
        seconds.append(((time.perf_counter() - wall) / (done - before), (time.process_time() - cpu) / (done - before)))
        print("done", flush=True)
        if done < budget:
            begin(done)

    begin(0)
    with TemporaryDirectory() as work:
        design = replace(NANO if given.setting == "nano-128" else TINY, num_classes=made.num_classes)
        accuracy = made.evaluate(
            Candidate(design=design, height=size, width=size),
            budget=given.iterations,
            seed=int(given.one[1]),
            folder=Path(work),
            progress=progress,
        )
    walls, cpus = zip(*(seconds[1:] or seconds), strict=True)
    return {"s": walls, "cpu_s": cpus, "miou": accuracy.value}


def settings(given: argparse.Namespace) -> Any:
    """Recipe and machine of one side."""
    from dataclasses import replace

    from experiments.training.recipes import SCRATCH, recipe
    from experiments.training.settings import Machine

    found = SCRATCH if given.setting == "nano-128" else replace(recipe("ade20k-160k", "tiny"), dataset="")
    lean = given.one[0] == "lean"
    changes = {"batch": given.batch or BATCHES[given.setting], "precision": given.precision, "validations": 1}
    found = replace(found, **changes, loss_stride=given.loss_stride if lean else 1)
    how = {"device": given.device, "compile": given.compile} if lean else {"workers": given.workers}
    return found, Machine(checkpoint_every=10 * given.iterations, **how)


def wait_for_device(device: str) -> None:
    """What was launched is done."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def write(setting: str, folder: Path) -> Path:
    """tokenworld, for `tiny-512` with images of mixed sizes; the folder of the data set."""
    from experiments.data.tokenworld.write import write_tokenworld

    training, validation = IMAGES[setting]
    plain = write_tokenworld(folder / setting, size=SIZES[setting], training=training, validation=validation)
    return plain if setting == "nano-128" else mix(plain, folder / f"{setting}-mixed")


def mix(source: Path, target: Path) -> Path:
    """The data set with every image resized to a size of its own, sides from `SHORT` to `LONG`."""
    import numpy as np
    from PIL import Image

    from experiments.data.folders import open_folder

    folder, random = open_folder(source), np.random.default_rng(0)
    for pairs in folder.splits.values():
        for pair in pairs:
            size = tuple(random.integers(SHORT, LONG + 1, 2).tolist())
            for path, how in ((pair.image, Image.Resampling.BILINEAR), (pair.label, Image.Resampling.NEAREST)):
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                with Image.open(path) as image:
                    image.resize(size, how).save(place)
    about = {"classes": list(folder.classes), "ignore": folder.ignore}
    (target / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    return target


if __name__ == "__main__":
    main()
