"""Whose training a folder holds, asked by every loop alike; what earlier versions left is answered in one sentence."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.claim import CLAIM, claim, claimed
from topformer.errors import StudyError

TRAINING = {"loop": "lean", "recipe": {"batch": 8, "crop": (64, 64)}, "seed": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=8, validation=2)


def test_the_same_training_goes_on(tmp_path: Path) -> None:
    claim(tmp_path / "run", TRAINING)
    (tmp_path / "run" / "checkpoint.pt").touch()
    claim(tmp_path / "run", TRAINING)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from experiments.training.claim import claimed\n"
        "with claimed(Path(sys.argv[1]), {'seed': 0}): pass"
    )
    with claimed(tmp_path, {"seed": 0}):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert f"StudyError: another training runs in {tmp_path} (process {os.getpid()})" in done.stderr


@pytest.mark.parametrize(
    "left", ["checkpoint.pt", "weights.pt", "result.json", "mmseg/iter_7.pth", "mmdet/epoch_1.pth"]
)
def test_another_training_is_refused_with_the_innermost_difference(tmp_path: Path, left: str) -> None:
    claim(tmp_path, TRAINING)
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).touch()
    other: dict[str, Any] = {**TRAINING, "recipe": {"batch": 16, "crop": (64, 64)}}
    with pytest.raises(
        StudyError, match=r"holds another training: recipe\.batch is 8 there and 16 here; choose another"
    ):
        claim(tmp_path, other)


def test_a_training_of_which_nothing_was_computed_gives_way(tmp_path: Path) -> None:
    claim(tmp_path, TRAINING)
    (tmp_path / "initial.pth").touch()
    claim(tmp_path, {**TRAINING, "seed": 1})
    assert not (tmp_path / "initial.pth").exists()
    claim(tmp_path, TRAINING)


def test_a_log_beside_it_is_no_training(tmp_path: Path) -> None:
    (tmp_path / "slurm.out").touch()
    claim(tmp_path, TRAINING)
    assert (tmp_path / CLAIM).exists()


# As version 0 left them: the configuration, or its settings, and a checkpoint.
OLD: dict[str, dict[str, str]] = {
    "mmseg": {
        "config.py": "custom_imports = {'imports': ['topformer.mmseg', 'experiments.evaluators.mmseg_draws']}\n",
        "mmseg/iter_2.pth": "",
    },
    "lean": {"lean.json": '{"seed": 0}\n', "checkpoint.pt": ""},
}


@pytest.mark.parametrize("loop", OLD)
def test_a_training_of_an_earlier_version_is_refused_in_one_sentence_and_left_alone(
    data: Path, tmp_path: Path, loop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in OLD[loop].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    small = ("--design", "nano", "--size", "64", "--iterations", "2", "--batch", "4", "--loop", loop)
    assert main(["train", "--data", str(data), *small, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "but no training.json: an earlier version's training, which this version cannot continue" in said[0]
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(OLD[loop])
