"""The command `supernet`, from a study to a checkpoint that other commands take."""

import json
from pathlib import Path

import pytest

from experiments.cli import main
from topformer.design_file import write_design
from topformer.presets import NANO

STUDY = """
name = "small"
objectives = ["accuracy", "macs"]
trials = 2
[space]
name = "paper"
base = "nano"
height = 64
width = 64
only = { pooled = ["all"], head = ["sum"], depth = ["1", "2"], heads = ["4"], width = ["64", "128"] }
[evaluator]
kind = "lean"
data = "tokenworld"
budget = 2
tokenworld = { training = 8, validation = 2 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, and the supernet of its space."""
    made = tmp_path_factory.mktemp("supernet")
    (made / "small.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        assert main(["supernet", "train", "small.toml", "--iterations", "2", "--batch", "4"]) == 0
    return made


@pytest.fixture(autouse=True)
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_training_says_what_it_made_and_a_second_command_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supernet", "train", "small.toml", "--iterations", "2", "--batch", "4"]) == 0
    said = capsys.readouterr().out
    assert "parameters for the 120 designs of paper, 2 iterations in " in said
    assert "run folder runs/supernet-small" in said


def test_designs_are_scored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_design(tmp_path / "mine.json", NANO)
    asked = ["supernet", "score", "runs/supernet-small", "nano", str(tmp_path / "mine.json"), "--recalibration", "4"]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["metric"] for row in found] == ["miou@supernet-tokenworld-64"] * 2
    assert found[0]["value"] == found[1]["value"]
    assert main(asked) == 0
    assert f"{found[0]['value']:.2f}" in capsys.readouterr().out


def test_an_extracted_checkpoint_is_scored_alike_by_evaluate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = str(tmp_path / "nano.pt")
    asked = ["runs/supernet-small", "nano", "--recalibration", "4"]
    assert main(["supernet", "score", *asked, "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)[0]["value"]
    assert main(["supernet", "extract", *asked, "--out", out]) == 0
    assert out in capsys.readouterr().out
    data = "data/tokenworld-64-8-2-seed0"
    assert main(["evaluate", out, "--data", data, "--design", "nano", "--size", "64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["miou"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "runs/supernet-small", "tiny"], "does not hold the design"),
        (["score", "data", "nano"], "data holds no supernet"),
        (["extract", "runs/supernet-small", "nano", "--out", "small.toml"], "small.toml is there already"),
        (["train", "small.toml", "--iterations", "3"], "holds another training: recipe.iterations is 2 there and 3"),
        (["train", "small.toml", "--data", "nowhere"], "nowhere"),
        (["train", "smal"], "unknown study 'smal'"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["supernet", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
