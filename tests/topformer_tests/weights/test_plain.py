"""Checkpoints as plain data: read where mmengine is not, told from other files, and tested for damage."""

import gzip
import io
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from tests import ROOT
from topformer.errors import CheckpointError
from topformer.weights.plain import History, damage, load_plain

READ = """
import sys
from topformer.weights.plain import load_plain
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


def written(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
"""The form of a pointer (github.com/git-lfs/git-lfs, docs/spec.md)."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html><head>", "a web page"),
        (b"\xef\xbb\xbf\n <HTML>", "a web page"),
        (LFS, "a pointer of git-lfs"),
        (b"", "is empty"),
        (bytes(4096), "it begins with zeros"),
        (gzip.compress(b"x", mtime=0), "a gzip archive; unpack it first"),
        (zipped("weights.pth"), "a zip archive of other files"),
        (zipped("relu/constants.pkl"), "a TorchScript program"),
        (b"Access denied: \xe2\x80\x9cquota\xe2\x80\x9d", "text, which begins with b'Access denied"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        ((2).to_bytes(8, "little") + b"{}" + bytes(8), "a safetensors file"),
    ],
)
def test_what_is_no_checkpoint_is_called_by_its_name(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_plain(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bytes_and_a_cut_are_damage(seed: int, tmp_path: Path) -> None:
    whole = written({"weight": torch.randn(4000)})
    draw = random.Random(seed)
    start = whole.index(b"data/0") + 200
    place = draw.randrange(start, start + 10_000)
    flipped = whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :]
    for name, content in (("flipped.pt", flipped), ("cut.pt", whole[: draw.randrange(4, len(whole))])):
        (tmp_path / name).write_bytes(content)
        assert "is damaged" in damage(tmp_path / name)
        with pytest.raises(CheckpointError, match="is damaged"):
            load_plain(tmp_path / name)
    (tmp_path / "whole.pt").write_bytes(whole)
    assert damage(tmp_path / "whole.pt") == ""


def test_nothing_advises_to_run_a_file(tmp_path: Path) -> None:
    for name, content in (("zip.pt", written(Runs())), ("pickle.pt", pickle.dumps(Runs(), protocol=2))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            load_plain(tmp_path / name)
        assert "weights_only" not in str(caught.value)
