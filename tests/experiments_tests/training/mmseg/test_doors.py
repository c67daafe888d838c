"""Every command that trains through mmsegmentation runs one and the same training."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from experiments.cli import main
from experiments.data.folders import open_folder
from experiments.evaluators import evaluator
from experiments.training.mmseg.runner import FileRunner
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.train import train
from search_space.candidate import Candidate
from tests import ROOT
from tests.experiments_tests.data.miniature_sets import MAKERS
from topformer.mmseg import from_segmentor_state
from topformer.network import TopFormer
from topformer.presets import NANO, TINY

NANO_64 = ("--design", "nano", "--size", "64")
CANDIDATE = Candidate(design=NANO, height=64, width=64)
STUDY = """
name = "doors"
objectives = ["accuracy", "macs"]
trials = 1
workers = 1
consider = 1

[space]
name = "paper"
base = "nano"
height = 64
width = 64

[evaluator]
kind = "{kind}"
data = "{data}"
budget = 2
settings = {settings}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ADE20K in miniature, with its own layout and 150 classes."""
    folder = tmp_path_factory.mktemp("ade")
    MAKERS["ade20k"](folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of Tiny, of which Nano's are slices."""
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.manual_seed(5)
    torch.save(TopFormer(TINY).state_dict(), path)
    return path


def sweep(folder: Path, kind: str, data: Path, settings: str) -> Path:
    """The folder of the one trial of a sweep, whose design is its base."""
    study = folder / "study.toml"
    study.write_text(STUDY.format(kind=kind, data=data, settings=settings))
    assert main(["sweep", str(study), "--out", str(folder / "run")]) == 0
    return next((folder / "run" / "trials").iterdir())


def ablate(folder: Path, data: Path, *more: str) -> int:
    """The widths of the paper, by the recipe."""
    table = ("table-7", "--recipe", "ade20k-160k", "--data", str(data), "--base", "nano", "--size", "64")
    return main(["ablate", *table, "--seeds", "1", "--budget", "2", "--workers", "2", "--out", str(folder), *more])


def configuration(folder: Path) -> dict[str, Any]:
    """The configuration of a training without what only names a place."""
    found: dict[str, Any] = Config.fromfile(next(folder.rglob("config.py"))).to_dict()
    return {**found, "load_from": Path(found["load_from"]).name if found["load_from"] else None}


def assert_same_training(one: Path, other: Path) -> None:
    assert configuration(one) == configuration(other)
    found, expected = (torch.load(folder / "weights.pt", weights_only=True) for folder in (one, other))
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


@pytest.fixture(scope="module")
def by_train(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `topformer train` leaves, with its defaults."""
    out = tmp_path_factory.mktemp("train")
    short = ("--recipe", "ade20k-160k", "--iterations", "2", "--out", str(out))
    assert main(["train", "--data", str(data), *NANO_64, *short]) == 0
    return out


def test_the_recipe_evaluator_runs_the_training_of_topformer_train(data: Path, by_train: Path, tmp_path: Path) -> None:
    found = evaluator("recipe", data).evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path)
    assert_same_training(tmp_path, by_train)
    assert found.value == json.loads((by_train / "result.json").read_text())["miou"]


def test_a_sweep_by_a_recipe_runs_it_too_with_the_default_settings(data: Path, by_train: Path, tmp_path: Path) -> None:
    """The default loads data in four processes, which a worker of the sweep must be allowed to start."""
    assert_same_training(sweep(tmp_path, "recipe", data, "{}"), by_train)


def test_an_ablation_by_a_recipe_starts_from_the_weights_that_are_given_and_is_not_run_twice(
    data: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("--checkpoint", f"tiny={checkpoint}")
    assert ablate(tmp_path / "run", data, *start) == 0
    records = [json.loads(line) for line in (tmp_path / "run" / "records.jsonl").read_text().splitlines()]
    assert [record["state"] for record in records] == ["complete"] * 3
    (tmp_path / "row.json").write_text(json.dumps(records[0]))
    own = ("--design", str(tmp_path / "row.json"), "--checkpoint", str(checkpoint), "--from-design", "tiny")
    short = ("--size", "64", "--recipe", "ade20k-160k", "--iterations", "2", "--out", str(tmp_path / "train"))
    assert main(["train", "--data", str(data), *own, *short]) == 0
    (row,) = (tmp_path / "run" / "trials").glob(f"*{records[0]['fingerprint']}*")
    assert_same_training(row, tmp_path / "train")
    capsys.readouterr()
    assert ablate(tmp_path / "run", data, *start) == 0
    assert len((tmp_path / "run" / "records.jsonl").read_text().splitlines()) == 3


def test_the_evaluator_from_scratch_a_sweep_by_it_and_the_function_run_one_training(data: Path, tmp_path: Path) -> None:
    settings = {"batch": 4, "smallest_scale": 0.5, "largest_scale": 2.0, "distort": True}
    evaluator("mmseg", data, settings).evaluate(CANDIDATE, budget=2, seed=0, folder=tmp_path / "evaluator")
    (tmp_path / "sweep").mkdir()
    swept = sweep(
        tmp_path / "sweep", "mmseg", data, "{ batch = 4, smallest_scale = 0.5, largest_scale = 2.0, distort = true }"
    )
    short = replace(with_size(SCRATCH, 64, 64), iterations=2, **settings)  # type: ignore[arg-type]
    train("mmseg", NANO, short, open_folder(data, hint="ade20k"), tmp_path / "train")
    for folder in (tmp_path / "evaluator", swept):
        found, expected = configuration(folder), configuration(tmp_path / "train")
        # How often a checkpoint is written is the machine's.
        for settled in (found, expected):
            settled.pop("default_hooks")
        assert found == expected
        weights = [torch.load(path / "weights.pt", weights_only=True) for path in (folder, tmp_path / "train")]
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runners of the trainings to come, as they are when they end."""
    runners: list[Any] = []
    whole = FileRunner.train

    def train_and_keep(runner: Any) -> Any:
        model = whole(runner)
        runners.append(runner)
        return model

    monkeypatch.setattr(FileRunner, "train", train_and_keep)
    return runners


def groups(optimizer: Any) -> list[Mapping[str, Any]]:
    names = ("initial_lr", "weight_decay", "betas", "fused")
    return [{name: group[name] for name in names} for group in optimizer.param_groups]


@pytest.mark.parametrize("door", ["train", "recipe", "mmseg"])
def test_the_optimizer_is_fused_has_few_groups_and_the_network_is_channels_last(
    data: Path, tmp_path: Path, seen: list[Any], door: str
) -> None:
    if door == "train":
        short = ("--iterations", "1", "--workers", "0", "--out", str(tmp_path))
        assert main(["train", "--data", str(data), *NANO_64, *short]) == 0
    else:
        settings: dict[str, dict[str, Any]] = {
            "recipe": {"workers": 0},
            "mmseg": {"batch": 4, "learning_rate": 3e-4, "head_multiplier": 10.0},
        }
        evaluator(door, data, settings[door]).evaluate(CANDIDATE, budget=1, seed=0, folder=tmp_path)
    (runner,) = seen
    optimizer = runner.optim_wrapper.optimizer
    assert type(optimizer) is torch.optim.AdamW
    assert [(group["initial_lr"], group["weight_decay"]) for group in groups(optimizer)] == [
        (3e-4, 0.0),
        (3e-4, 0.01),
        (pytest.approx(3e-3), 0.0),
        (pytest.approx(3e-3), 0.01),
    ]
    assert {(group["betas"], group["fused"]) for group in groups(optimizer)} == {((0.9, 0.999), True)}
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert known == {id(parameter) for parameter in runner.model.parameters()}
    weights = [weight for weight in runner.model.parameters() if weight.dim() == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


PLAIN = """
import sys
import torch
from mmengine.config import Config
from mmengine.runner import Runner

settings = Config.fromfile(sys.argv[1])
settings.work_dir = sys.argv[2]
for loader in (settings.train_dataloader, settings.val_dataloader):
    loader.num_workers, loader.persistent_workers = 0, False
torch.save(Runner.from_cfg(settings).train().state_dict(), sys.argv[2] + "/plain.pt")
"""
"""What mmsegmentation's tools/train.py does."""


def test_mmsegmentations_own_tool_runs_the_same_training(by_train: Path, tmp_path: Path) -> None:
    """The written configuration is complete: mmengine's plain runner makes of it the same weights."""
    command = [sys.executable, "-W", "ignore", "-c", PLAIN, str(by_train / "config.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    weights = torch.load(by_train / "weights.pt", weights_only=True)
    plain = from_segmentor_state(torch.load(tmp_path / "plain.pt", weights_only=True))
    assert [name for name in weights if not torch.equal(weights[name], plain[name])] == []
