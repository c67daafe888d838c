"""The doors to frameworks hold: what needs none of them works where they cannot be imported."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

PACKAGES = ("topformer", "search_space", "analysis", "experiments")

WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mmseg", "mmcv", "mmengine", "mmdet"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from experiments.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line where nothing of OpenMMLab can be imported."""
SEVERAL = """
import shlex

for line in sys.argv[1:]:
    print(f"$ {line}", flush=True)
    if main(shlex.split(line)):
        sys.exit(line)
"""
"""Several command lines in one process, each said before what it prints."""

STUDY = """
name = "small"
objectives = ["accuracy", "latency_ms"]
device = "snapdragon-865"
sampler = "random"
trials = 2
consider = 20
workers = 1

[space]
name = "paper"
base = "nano"
height = 64
width = 64

[limits]
latency_ms = 2.0

[evaluator]
kind = "lean"
data = "tokenworld"
budget = 2
tokenworld = { training = 16, validation = 4, seed = 0 }
"""

IMPORTED_BY_NAME = {
    "ncnn": {"experiments/emulate/forward.py", "experiments/measure/device_script.py"},
    "numpy": {"experiments/emulate/forward.py", "experiments/measure/device_script.py"},
    "onnxruntime": {"experiments/measure/device_script.py"},
    "torch": {"experiments/measure/device_script.py"},
}
"""Frameworks whose names stand in an `import_module`: only where a program is copied to another machine."""


def without_mm(*arguments: str | Path, program: str = WITHOUT) -> str:
    """What a command prints where nothing of OpenMMLab can be imported."""
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    return path


def test_commands_that_train_nothing_need_no_mmsegmentation() -> None:
    shown = {
        "cost base --size 512": "peak activation memory",
        "latency base --device snapdragon-865 --size 512": "snapdragon-865: error of predicting",
        "enumerate paper --base nano --size 128 --limit 2": "fingerprint",
        "ablate table-3 --dry-run": "15 to run",
        "data list": "ade20k",
        "doctor": "onedl-mmsegmentation",
    }
    printed = without_mm(*shown, program=WITHOUT.replace("sys.exit(main(sys.argv[1:]))", SEVERAL))
    parts = dict(part.split("\n", 1) for part in printed.split("$ ")[1:])
    assert {command: text in parts[command] for command, text in shown.items()} == dict.fromkeys(shown, True)


def test_a_sweep_with_the_fast_loop_needs_no_mmsegmentation(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "would train 2" in without_mm("sweep", study, "--out", out, "--dry-run")
    assert "2/2 evaluated" in without_mm("sweep", study, "--out", out)
    records = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    assert [record["state"] for record in records].count("complete") == 2


def test_training_with_the_fast_loop_needs_no_mmsegmentation(tmp_path: Path) -> None:
    data, out = tmp_path / "tokenworld", tmp_path / "run"
    without_mm(*f"data tokenworld --out {data} --size 64 --training 16 --validation 4".split())
    without_mm("data", "check", data)
    training = f"--data {data} --design nano --loop lean --iterations 2 --size 64 --out {out}"
    assert "mIoU" in without_mm("train", *training.split())


def test_the_blocked_packages_are_really_blocked() -> None:
    program = WITHOUT.replace("from experiments.cli import main", "import mmengine")
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "mmengine is blocked" in done.stderr


def test_frameworks_are_imported_by_name_only_where_a_program_leaves_the_house() -> None:
    found: dict[str, set[str]] = {}
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("ascii"))):
            match node:
                case ast.Call(func=ast.Name(id="import_module" | "__import__"), args=[ast.Constant(value=str(name))]):
                    found.setdefault(name.partition(".")[0], set()).add(path.relative_to(ROOT).as_posix())
    assert {name: places for name, places in found.items() if name not in PACKAGES} == IMPORTED_BY_NAME
