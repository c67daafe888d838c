"""`topformer measure-next` and `topformer compare` as a user calls them."""

import json
from pathlib import Path

import pytest

from experiments.cli import main
from topformer.codec import fingerprint
from topformer.design_file import read_design

NANO = ["--base", "nano", "--size", "128", "--consider", "400"]


def test_the_chosen_designs_are_files_that_measure_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "probes"
    limit = ["--max-latency-ms", "1.5", "--budget", "2", "--out", str(folder)]
    assert main(["measure-next", *NANO, *limit, "--json"]) == 0
    probes = json.loads(capsys.readouterr().out)["probes"]
    assert len(probes) == 2
    for probe in probes:
        assert f"{fingerprint(read_design(probe['file']))}@128x128" == probe["fingerprint"]
    measure = ["measure", *(probe["file"] for probe in probes), "--size", "128", "--out", str(tmp_path / "rows.csv")]
    assert main([*measure, "--dry-run"]) == 0
    assert probes[0]["fingerprint"] in capsys.readouterr().out
    # Again over its own files, but over no other.
    assert main(["measure-next", *NANO, *limit]) == 0
    Path(probes[0]["file"]).write_text("mine")
    assert main(["measure-next", *NANO, *limit]) == 2
    assert "is there already and no design of topformer measure-next" in capsys.readouterr().err
    assert Path(probes[0]["file"]).read_text() == "mine"


def test_the_table_shows_what_is_left_to_expect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure-next", *NANO, "--max-latency-ms", "1.5", "--budget", "1"]) == 0
    text = capsys.readouterr().out
    for fact in ("400 of 106,272 designs", "P(above)", "then wrong", "pool_stride="):
        assert fact in text


def test_a_limit_that_is_no_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["measure-next", *NANO, "--max-latency-ms", "0"])
    assert left.value.code == 2
    assert "--max-latency-ms: must be a finite number above 0, got '0'" in capsys.readouterr().err


def test_two_devices_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "snapdragon-865", "raspberry-pi-5", *NANO]) == 0
    assert "rank correlation (Kendall)" in capsys.readouterr().out
    assert main(["compare", "snapdragon-865", "snapdragon-865", *NANO, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["kendall"], card["drift"], card["leaving"]) == (pytest.approx(1), pytest.approx(1), [])
