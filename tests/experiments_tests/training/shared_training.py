"""A process that trains a little, alone or as one of several; the tests of resuming and of sharing start it.

Arguments: the data, the folder of the run, and a JSON object with `iterations`, `batch`, and perhaps `still` (no
dropout and stochastic depth), `double` (in float64), `workers`, `kill` (the iteration after which it kills itself) and
`half` (the iteration within whose checkpoint it kills itself).
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from experiments.data.folders import open_folder
from experiments.training.recipes import Recipe, recipe, with_size
from experiments.training.settings import Machine
from experiments.training.train import train
from topformer.presets import NANO


def small_recipe(*, iterations: int, batch: int, still: bool = False, **_: Any) -> Recipe:
    """The release's recipe for 64 x 64 pixels."""
    found = replace(with_size(recipe("ade20k-160k", "tiny"), 64, 64), iterations=iterations, batch=batch)
    return replace(found, drop_path=0.0, dropout=0.0) if still else found


def die(*_: object) -> None:
    """End as `kill -9` ends it."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_writing(iteration: int) -> None:
    """Write half of the checkpoint of an iteration, and die."""
    from mmengine.fileio import LocalBackend

    whole = LocalBackend.put

    def put(backend: Any, content: bytes, path: str) -> None:
        if f"iter_{iteration}." in str(path):
            whole(backend, content[: len(content) // 2], path)
            die()
        whole(backend, content, path)

    LocalBackend.put = put


def run(data: Path, out: Path, settings: dict[str, Any]) -> None:
    """Train."""

    def progress(done: int, _: int) -> None:
        if done == settings.get("kill"):
            die()
        first = out / "mmseg" / "iter_1.pth"
        if done == 2 and first.exists() and not (out / "after_1.pth").exists():
            os.link(first, out / "after_1.pth")

    if settings.get("double"):
        torch.set_default_dtype(torch.float64)
    if "half" in settings:
        die_while_writing(settings["half"])
    train(
        "mmseg",
        NANO,
        small_recipe(**settings),
        open_folder(data),
        out,
        machine=Machine(workers=settings.get("workers", 0), checkpoint_every=2000),
        seed=7,
        progress=progress,
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
