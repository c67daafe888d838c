"""What the commands of the pages find on a reader's desk: designs, data, rows of a phone, runs; made when named."""

import atexit
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image

from experiments.cli import main
from experiments.data.tokenworld.write import write_tokenworld
from experiments.measure.rows import append_row
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from tests import ROOT
from tests.experiments_tests.data import miniature_sets
from tests.experiments_tests.measure.examples import NETWORKS, row
from topformer.codec import to_json
from topformer.design import Design
from topformer.presets import BASE, NANO, SMALL, TINY

STUDY = """
name = "mine"
objectives = ["accuracy", "latency_ms"]
device = "snapdragon-865"
trials = 2

[space]
name = "paper"
base = "nano"
height = 64
width = 64

[evaluator]
kind = "lean"
data = "data/mini"
budget = 1
"""
MINE = replace(NANO, width=48)
MODULE = "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())\n"


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _design(design: Design) -> Callable[[Path], object]:
    return _text(json.dumps(to_json(design)))


def _rows(*networks: tuple[Design, int]) -> Callable[[Path], None]:
    def make_rows(path: Path) -> None:
        phone = device("snapdragon-865")
        for design, size in networks:
            time = phone.estimate(Candidate(design=design, height=size, width=size)).milliseconds
            append_row(path, row(design, size, 1.3 * time))

    return make_rows


def _mini(path: Path) -> None:
    write_tokenworld(path, size=128, training=8, validation=4, seed=0)


def _classes(path: Path) -> None:
    for split in ("train", "val"):
        for name in ("a", "b"):
            (path / split / name).mkdir(parents=True)
            for i in range(8):
                pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8)
                Image.fromarray(pixels).save(path / split / name / f"{i}.JPEG")


def _photographs(path: Path) -> None:
    path.mkdir()
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(path / "a.jpg")


def _device(path: Path) -> None:
    shutil.copytree(ROOT / "search_space" / "latency" / "devices" / "raspberry-pi-5", path)


def _run(path: Path) -> None:
    shutil.copytree(_swept(), path)


@cache
def _swept() -> Path:
    """A run that is made once for all pages, each of which gets a copy: making it takes longer than most pages."""
    folder = Path(mkdtemp(prefix="desk-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data, study, run = (folder / name for name in ("data", "desk.toml", "run"))
    _mini(data)
    study.write_text(STUDY)
    small = ["--trials", "2", "--consider", "20", "--workers", "1"]
    assert main(["sweep", str(study), "--data", str(data), "--out", str(run), *small]) == 0
    return run


def _committed(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copyfile(ROOT / name, path)


def _weights(design: Design) -> Callable[[Path], None]:
    def make_weights(path: Path) -> None:
        from experiments.training.tensors import write_tensors
        from topformer.network import TopFormer

        write_tensors(path, TopFormer(design).state_dict())

    return make_weights


DESK: Mapping[str, Callable[[Path], object]] = {
    "mine.json": _design(MINE),
    "probes/f7b1b8779f81.json": _design(replace(NANO, width=64)),
    "probes/e10bd0d93029.json": _design(replace(NANO, width=96)),
    "mine.py": _text(MODULE),
    "STUDY.toml": _text(STUDY),
    "mine.toml": _text(STUDY),
    "own-data.toml": _committed("docs/examples/own-data.toml"),
    "rows.csv": _rows(*NETWORKS),
    "first.csv": _rows((NANO, 128), (TINY, 128)),
    "probes.csv": _rows((SMALL, 128), (BASE, 128), (replace(NANO, width=64), 128), (replace(TINY, width=64), 128)),
    "benchncnn": _text(""),
    "data/mini": _mini,
    "data/tokenworld": _mini,
    "data/tokenworld-128-2000-300-seed0": _mini,
    "data/classes": _classes,
    "data/imagenet": _classes,
    "data/ade/ADEChallengeData2016": miniature_sets.ade20k,
    "data/ade20k": miniature_sets.ade20k,
    "PATH": miniature_sets.ade20k,
    "SOURCE": miniature_sets.coco_stuff_10k,
    "data/coco_stuff10k": miniature_sets.coco_stuff_10k,
    "data/coco_stuff164k": miniature_sets.coco_stuff_164k,
    "data/VOCdevkit/VOC2010": miniature_sets.context_json,
    "data/cityscapes": miniature_sets.cityscapes,
    "devices/pi5": _device,
    "devices/my-phone": _device,
    "devices/desk-first": _device,
    "devices/desk": _device,
    "FOLDER": _device,
    "runs/mine": _run,
    "runs/nano-tokenworld": _run,
    "runs/own-data": _run,
    "experiments/emulate/counts.csv": _committed("experiments/emulate/counts.csv"),
    "runs/mini/weights.pt": _weights(NANO),
    "runs/d86f/weights.pt": _weights(replace(NANO, num_classes=150)),
    "runs/pre/weights.pt": _weights(NANO),
    "runs/train-base-ade20k-160k/weights.pt": _weights(BASE),
    "runs/pretrain-mine/weights.pt": _weights(MINE),
    "IMAGES": _photographs,
    "photos": _photographs,
    "weights.pt": _weights(BASE),
}
"""Path, as a page writes it, to what makes it."""


def lay(folder: Path, command: str) -> None:
    """Make what a command names and what is not there yet, but for what it writes itself."""
    if not command.startswith("topformer sweep") and " nano-tokenworld " in f"{command} ":
        make(folder, "runs/nano-tokenworld")
    read = re.sub(r"--(out|csv|figure|sheet) \S+", "", command)
    for name in DESK:
        if re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w.-])", read):
            make(folder, name)


def named(folder: Path, words: list[str]) -> list[str]:
    """A command with a design of the run on the desk in the place of the one that the page names, `RUN:FINGERPRINT`."""
    return [
        re.sub(r"^(?:runs/)?(mine|nano-tokenworld):[0-9a-f]{4}$", lambda match: _member(folder, match[1]), word)
        for word in words
    ]


def _member(folder: Path, run: str) -> str:
    make(folder, f"runs/{run}")
    first = (folder / "runs" / run / "records.jsonl").read_text().splitlines()[0]
    return f"{run}:{json.loads(first)['fingerprint'][:6]}"


def make(folder: Path, name: str) -> None:
    """Make one thing, if it is not there."""
    path = folder / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        DESK[name](path)
