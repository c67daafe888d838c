"""CONTRIBUTING.md is true: what it names exists, and adding works in as many places as it says.

What the page says is added here for real, to a copy of the sources: a file where it says a class or a table, a line
where it says an entry. The command line of the copy then knows what was added.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import parser
from tests import ROOT
from topformer.codec import to_json
from topformer.presets import NANO

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGES = ("topformer", "search_space", "analysis", "experiments")


class House:
    """A copy of the sources that a test adds to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # With what Python has compiled: it goes by a source's size and time, which the copy keeps. What another test
        # is just compiling has a longer name.
        for package in PACKAGES:
            shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("*.pyc.*"))

    def write(self, path: str, text: str) -> None:
        """A new file."""
        assert not (self.root / path).exists()
        (self.root / path).write_text(text)

    def enter(self, path: str, before: str, entry: str) -> None:
        """An entry at the beginning of a table: behind the only match of the expression `before`."""
        text = (self.root / path).read_text()
        found = re.findall(before, text)
        assert len(found) == 1, f"{before!r} stands {len(found)} times in {path}"
        (self.root / path).write_text(text.replace(found[0], f"{found[0]}{entry}\n"))

    def append(self, path: str, text: str) -> None:
        """A definition at the end of a module."""
        with (self.root / path).open("a") as file:
            file.write(text)

    def topformer(self, *words: str | Path, status: int = 0) -> str:
        """What a command of the copy prints."""
        code = "import sys; from experiments.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = {**os.environ, "PYTHONPATH": str(self.root), "COLUMNS": "200"}
        argv = [sys.executable, "-P", "-c", code, *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=self.root, env=environment, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_path_of_the_page_exists() -> None:
    paths = re.findall(r"`([\w./-]+(?:/|\.py|\.md|\.toml))`", PAGE)
    assert len(paths) > 10
    absent = [path for path in paths if not (ROOT / path).exists()]
    # A name alone stands in a folder that the sentence names.
    names = {path.name for package in PACKAGES for path in (ROOT / package).rglob("*.*")}
    assert [path for path in absent if path not in names] == []


def test_every_name_of_the_page_stands_in_the_file_that_follows_it() -> None:
    names = re.findall(r"`(\w+)`\s+(?:in\s+`|\()`?([\w./]+\.py)`", PAGE)
    assert len(names) > 5
    for name, path in names:
        assert re.search(rf"^(class |def )?{name}\b", (ROOT / path).read_text(), re.MULTILINE), f"{name} in {path}"


def test_every_command_of_the_page_parses() -> None:
    lines = re.findall(r"`topformer ([^`]+)`", PAGE)
    targets = set(re.findall(r"`make ([a-z-]+)`", PAGE))
    assert lines
    for line in lines:
        if " " in line:
            parser().parse_args(line.split())
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


SERIAL = """
from dataclasses import dataclass
from typing import ClassVar

from experiments.measure.commands import Commands
from experiments.measure.reply import read_reply


@dataclass(frozen=True)
class Serial:
    form: ClassVar[str] = "serial:LINE"
    name: str
    runtimes: tuple[str, ...] = ("ncnn",)
    programs: tuple[str, ...] = ()

    @classmethod
    def open(cls, address, options):
        return cls(address)

    def commands(self, folder, names):
        return Commands(prepare=(), measure=("kermit", self.name), clean=())

    def reply(self, output):
        return read_reply(output, self.name)
"""


def test_adding_a_way_to_measure_is_a_class_and_an_entry(house: House) -> None:
    house.write("experiments/measure/serial.py", SERIAL)
    targets = "experiments/measure/targets.py"
    house.enter(targets, r"TARGETS: [^=]+= MappingProxyType\(\{", '"serial": Serial, ')
    house.enter(
        targets,
        r"(?m)^from experiments\.measure\.local import Local\n",
        "from experiments.measure.serial import Serial",
    )
    assert "serial:LINE" in house.topformer("measure", "--help")
    words = ["measure", "nano", "--runtime", "ncnn", "--size", "64", "--out", "rows.csv", "--on"]
    assert "kermit serial:tty1" in house.topformer(*words, "serial:tty1", "--dry-run")
    assert "serial:LINE" in house.topformer(*words, "usb", status=2)


def test_adding_a_data_set_is_a_description_and_a_recipe(house: House) -> None:
    house.enter(
        "experiments/data/folders/known.py",
        r"(?m)^_ALL = \(\n",
        "KnownSet(name='meadow', title='Meadow', reader='ADE20KDataset', num_classes=150, ignore=0, "
        "marker='meadow.txt', "
        "splits=_splits(_split('images/training', 'annotations/training', 20), "
        "_split('images/validation', 'annotations/validation', 5)), "
        "downloads=(Download(file='meadow.zip', size='1 MB', source='https://example.org/meadow.zip'),), "
        "folder='data/meadow', converted=False, recipe='meadow'),",
    )
    house.enter(
        "experiments/training/recipes.py",
        r"(?m)^_ALL = \(\n",
        "Recipe(name='meadow', source='https://example.org/meadow', dataset='meadow', classes=150),",
    )
    assert "meadow" in house.topformer("data", "list")
    assert "meadow.zip (1 MB)" in house.topformer("data", "check", "meadow", house.root, status=2)
    assert "meadow" in house.topformer("train", "--help")


STUDY = """
name = "small"
objectives = ["accuracy", "parameters"]
sampler = "{sampler}"
trials = 2
workers = 1

[space]
name = "paper"
base = "nano"
height = 64
width = 64

[evaluator]
kind = "{evaluator}"
data = "tokenworld"
budget = 1
tokenworld = {{ training = 2, validation = 1, seed = 0 }}
"""

CHANNELS = """
from experiments.evaluators.base import Accuracy


class ChannelCount:
    metric = "channels@none"

    @classmethod
    def read(cls, folder, settings):
        return cls()

    def describe(self):
        return {"kind": "channels"}

    def evaluate(self, candidate, *, budget, seed, folder, progress=None):
        value = float(candidate.design.width)
        return Accuracy(metric=self.metric, value=value, source="proxy", budget=budget, seed=seed, seconds=0.0)
"""

BACKWARDS = """

def make_backwards(setting: Setting) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=setting.seed + 1)
"""


def enter_evaluator(house: House) -> None:
    house.write("experiments/evaluators/channels.py", CHANNELS)
    entry = '"channels": EvaluatorEntry("experiments.evaluators.channels:ChannelCount", "counts channels"),'
    house.enter("experiments/evaluators/__init__.py", r"EVALUATORS: [^=]+= MappingProxyType\(\s*\{\n", entry)


def test_adding_an_evaluator_is_a_class_and_an_entry(house: House) -> None:
    enter_evaluator(house)
    house.write("study.toml", STUDY.format(sampler="random", evaluator="channels"))
    assert "2/2 evaluated" in house.topformer("sweep", "study.toml", "--out", "run")
    assert "channels@none" in (house.root / "run" / "records.jsonl").read_text()
    assert "channels" in house.topformer("ablate", "--help")
    house.write("typo.toml", STUDY.format(sampler="random", evaluator="chanels"))
    assert "channels" in house.topformer("sweep", "typo.toml", "--out", "typo", status=2)


def test_adding_a_sampler_is_a_function_and_an_entry(house: House) -> None:
    enter_evaluator(house)
    house.append("experiments/search/searcher.py", BACKWARDS)
    entry = '"backwards": Implementation("experiments.search.searcher:make_backwards", "the next seed"),'
    house.enter("experiments/search/samplers.py", r"SAMPLERS: [^=]+= MappingProxyType\(\s*\{\n", entry)
    house.write("study.toml", STUDY.format(sampler="backwards", evaluator="channels"))
    assert "2/2 evaluated" in house.topformer("sweep", "study.toml", "--out", "run")
    assert "backwards" in house.topformer("sweep", "--help")
    house.write("typo.toml", STUDY.format(sampler="backward", evaluator="channels"))
    assert "backwards" in house.topformer("sweep", "typo.toml", "--out", "typo", status=2)


TABLE = """
id = "pooling"
title = "Which scales are pooled"
base = "nano"
size = 128
baseline = "all"

[[rows]]
label = "all"
edits = { pooled = "all" }

[[rows]]
label = "last"
edits = { pooled = "last" }
"""


def test_adding_an_ablation_table_is_a_file(house: House) -> None:
    house.write("mine.toml", TABLE)
    assert "10 runs" in house.topformer("ablate", "mine.toml", "--dry-run")
    house.write("experiments/tables/pooling.toml", TABLE)
    assert "10 runs" in house.topformer("ablate", "pooling", "--dry-run")
    assert "pooling" in house.topformer("ablate", "list")


STEM_KERNEL = '''

def stem_kernel_axis(kernels: Iterable[int]) -> Axis:
    """Side of the first kernel."""
    return Axis(
        name="stem_kernel",
        choices=labelled(kernels),
        apply=lambda candidate, side: replace(
            candidate, design=replace(candidate.design, stem=replace(candidate.design.stem, kernel=side))
        ),
        invalidates=Invalidates.FULL,
    )
'''


def test_adding_an_axis_is_a_function_and_an_entry(house: House) -> None:
    count = ("enumerate", "full", "--base", "nano", "--size", "128", "--count")
    before = int(house.topformer(*count).replace(",", ""))
    house.enter("search_space/axes/network.py", r"(?m)^from topformer\.presets import TINY\n", STEM_KERNEL)
    catalogue = "search_space/spaces/catalogue.py"
    house.enter(catalogue, r"(?m)^from search_space\.axes\.network import \(\n", "stem_kernel_axis,")
    house.enter(catalogue, r"(?m)^ +injection_axis\(\),\n", "        stem_kernel_axis((3, 5)),")
    assert int(house.topformer(*count).replace(",", "")) == 2 * before
    house.write("mine.toml", TABLE.replace('pooled = "last"', 'stem_kernel = "5"'))
    assert "10 runs" in house.topformer("ablate", "mine.toml", "--dry-run")


def test_adding_a_device_is_a_folder(house: House) -> None:
    folder = house.root / "search_space/latency/devices/board"
    folder.mkdir()
    texts = ("chip", "core", "runtime", "precision", "protocol", "source")
    setup = "".join(f'{name} = "a {name}"\n' for name in texts)
    house.write("search_space/latency/devices/board/device.toml", f"threads = 1\n{setup}")
    times = {"tiny": 86, "small": 148, "base": 220}
    rows = "".join(f"{name},{name},512,512,{ms},fitted,a\n" for name, ms in times.items())
    house.write(
        "search_space/latency/devices/board/measured.csv", f"network,design,height,width,latency_ms,role,source\n{rows}"
    )
    assert "ms on board" in house.topformer("latency", "tiny", "--device", "board")
    assert "did you mean 'board'" in house.topformer("latency", "tiny", "--device", "boardd", status=2)
    assert "3 rows" in house.topformer("calibrate", "--refit", folder)
    assert (folder / "coefficients.json").exists()


PRODUCT = """
class Product(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.local, self.info = ConvUnit(channels, width), ConvUnit(channels, width)

    def forward(self, tokens, semantics):
        return self.local(tokens) * resize(self.info(semantics), grid(tokens))

"""
PRODUCT_OPERATIONS = """
def _product(recorder, tokens, semantics, width):
    local, info = recorder.unit(tokens, width, "local"), recorder.unit(semantics, width, "info")
    return recorder.mul(local, recorder.resize(info, local.grid, ""), "")

"""


def test_adding_a_kind_is_a_member_and_an_entry_of_each_table(house: House) -> None:
    house.enter("topformer/design.py", r"(?m)^class Injection\(StrEnum\):\n.*\n\n", '    PRODUCT = "product"')
    network, closed_form = "topformer/injection.py", "search_space/operations/modules.py"
    house.enter(network, r"(?m)^from topformer\.layers import .*\n", PRODUCT)
    house.enter(network, r"INJECTIONS: [^=]+= MappingProxyType\(\n +\{", "Injection.PRODUCT: Product,")
    house.enter(closed_form, r"(?m)^from topformer\.design import .*\n", PRODUCT_OPERATIONS)
    house.enter(closed_form, r"INJECTIONS: [^=]+= MappingProxyType\(\n +\{", "Injection.PRODUCT: _product,")
    house.write("product.json", json.dumps({**to_json(NANO), "injection": "product"}))
    ledger = house.topformer("cost", house.root / "product.json", "--size", "128", "--ledger")
    total = next(line for line in ledger.splitlines() if line.startswith("total")).split()
    # Columns are the kind, steps, the closed form and fvcore, which walks the built network.
    assert total[2] == total[3]
    assert "explained" not in ledger
    house.write("kinds.toml", TABLE.replace('pooled = "last"', 'injection = "product"'))
    assert "10 runs" in house.topformer("ablate", "kinds.toml", "--dry-run")
