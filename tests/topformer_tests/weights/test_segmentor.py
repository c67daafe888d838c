"""Checkpoints of mmengine, read where mmengine is not."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from tests import ROOT
from topformer.errors import CheckpointError
from topformer.weights.segmentor import History, load_plain

READ = """
import sys
from topformer.weights.segmentor import load_plain
content = load_plain(sys.argv[1])
print(content["state_dict"]["weight"].tolist(), "mmengine" in sys.modules)
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """What mmengine's runner writes: weights beside histories of logged values."""
    history = HistoryBuffer([0.5, 0.25], [1, 1])
    torch.save({"state_dict": {"weight": torch.ones(2)}, "message_hub": {"loss": history}}, tmp_path / "iter_2.pth")
    return tmp_path / "iter_2.pth"


def test_the_weights_are_read_without_mmengine(checkpoint: Path) -> None:
    argv = [sys.executable, "-c", READ, str(checkpoint)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[1.0, 1.0] False\n"


def test_histories_become_what_is_asked_for(checkpoint: Path) -> None:
    assert type(load_plain(checkpoint)["message_hub"]["loss"]) is History
    assert load_plain(checkpoint, history=HistoryBuffer)["message_hub"]["loss"].mean() == 0.375


class Runs:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("ran"),)


def test_what_would_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"meta": Runs()}, tmp_path / "foreign.pth")
    with pytest.raises(CheckpointError, match=r"foreign\.pth holds more than tensors and plain data and was not run"):
        load_plain(tmp_path / "foreign.pth")
    assert not (tmp_path / "ran").exists()
