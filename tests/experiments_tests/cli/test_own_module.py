"""`topformer latency path.py:function` and `--boundary`, as a user calls them."""

import json
from pathlib import Path

import pytest

from experiments.cli import main

NETWORKS = """
import torch
from torch import nn

def plain(): return nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 8, 1))
class Decoder(nn.Sequential):
    def __init__(self): super().__init__(nn.Conv2d(3, 64, 4, 4), nn.ConvTranspose2d(64, 8, 4, 4))
def half(): return plain().half()
def number(): return 3
def broken(): raise OSError("no weights")
def needs(width): return nn.Conv2d(3, width, 1)
made = plain()
"""


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    path = tmp_path / "networks.py"
    path.write_text(NETWORKS)
    return path


@pytest.mark.parametrize("name", ["plain", "Decoder", "made"])
def test_a_module_of_ones_own_is_estimated(name: str, networks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["latency", f"{networks}:{name}", "--size", "64x96", "--device", "raspberry-pi-5"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["low"] < found["milliseconds"] < found["high"]
    assert found["unknown"] == []
    assert main([*command, "--boundary", "argmax"]) == 0
    assert "and argmax" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}:half", "fp32 networks alone, got float16 in 0"),
        ("{}:number", "must give an nn.Module, got int"),
        ("{}:broken", "raised OSError: 'no weights'"),
        ("{}:needs", "raised TypeError"),
        ("{}:plane", "unknown function 'plane'; did you mean 'plain'"),
        ("{}", "must be named path.py:function"),
        ("{}:", "must be named path.py:function"),
        ("no{}:plain", "there is no file"),
    ],
)
def test_what_gives_no_module_is_one_line(
    text: str, message: str, networks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", text.format(networks), "--size", "64"]) != 0
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_enumerate_and_measure_next_know_the_boundary(capsys: pytest.CaptureFixture[str]) -> None:
    space = ["--base", "nano", "--size", "128"]
    assert main(["enumerate", "paper", *space, "--boundary", "argmax", "--limit", "1"]) == 0
    assert "latency_ms@snapdragon-865+argmax" in capsys.readouterr().out
    feasible = []
    for end in ("logits", "argmax-nearest", "upsample", "argmax"):
        command = ["enumerate", "paper", *space, "--boundary", end, "--max-ms", "40", "--summary", "--json"]
        assert main(command) == 0
        feasible.append(json.loads(capsys.readouterr().out)["extremes"]["latency_ms"][0]["value"])
    assert feasible[0] < feasible[1] < feasible[3]
    assert feasible[0] < feasible[2] < feasible[3]
    command = ["measure-next", *space, "--max-latency-ms", "5", "--consider", "50", "--budget", "1", "--json"]
    above = []
    for end in ("logits", "argmax"):
        assert main([*command, "--boundary", end]) == 0
        above.append(json.loads(capsys.readouterr().out)["above"])
    assert above[0] < above[1]
