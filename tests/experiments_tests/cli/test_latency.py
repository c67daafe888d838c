"""`topformer latency` and `enumerate --summary` as a user calls them."""

import json
from pathlib import Path

import pytest

from experiments.cli import main


def test_an_explanation_shows_boundaries_and_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "tiny", "--explain"]) == 0
    text = capsys.readouterr().out
    for fact in ("graph ends at", "logits at 1/8", "no argmax", "and argmax", "depthwise 5x5", "share of parameters"):
        assert fact in text


def test_an_explanation_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "nano", "--size", "128", "--device", "raspberry-pi-5", "--explain", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["boundaries"]["logits"]["device"] == "raspberry-pi-5"
    assert set(plain["parts"]) == {"pyramid", "extractor", "injection", "head"}


def test_a_figure_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.png"
    assert main(["latency", "tiny", "--figure", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert str(path) in capsys.readouterr().out


def test_a_summary_of_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enumerate", "paper", "--base", "nano", "--size", "128", "--max-ms", "3", "--summary", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert 0 < plain["feasible"] < plain["designs"]
    assert plain["extremes"]["latency_ms"][1]["value"] <= 3
