"""From a space or a run to designs that every command takes, as a user calls the commands."""

import csv
import json
import re
from pathlib import Path

import pytest

from experiments.cli import main
from search_space.latency.devices import devices
from search_space.spaces.space import spaces
from tests.analysis_tests.examples import record, run_folder
from topformer.codec import fingerprint
from topformer.design_file import read_design

NANO = ["--base", "nano", "--size", "128"]
MS = "latency_ms@snapdragon-865"


def out_of(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What a command prints that does what it is told."""
    assert main([str(arg) for arg in args]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """The line of a command that cannot use what it was given."""
    assert main([str(arg) for arg in args]) == 2
    return capsys.readouterr().err


def test_a_table_says_how_much_of_the_space_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enumerate", "paper", *NANO]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 21
    assert "schema" not in out
    assert err == "20 of 106,272 designs of paper; --limit 0 lists all\n"


def test_rows_come_in_the_order_asked_for_with_their_design(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ["--limit", 30, "--max-latency-ms", 2]
    fastest = json.loads(out_of(capsys, "enumerate", "paper", *NANO, "--sort", "latency", *limits, "--json"))
    assert [row[MS] for row in fastest] == sorted(row[MS] for row in fastest)
    assert len({row["fingerprint"] for row in fastest}) == 30
    path = tmp_path / "rows.csv"
    said = out_of(capsys, "enumerate", "paper", *NANO, "--sort", "macs", "--descending", *limits, "--csv", path)
    assert re.search(r"30 of [\d,]+ that take at most 2 ms, of 106,272 designs of paper; --limit 0", said)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    macs = [int(row["macs"]) for row in rows]
    assert macs == sorted(macs, reverse=True)
    assert min(macs) > max(row["macs"] for row in fastest)
    (tmp_path / "one.json").write_text(rows[0]["design"])
    assert f"{fingerprint(read_design(str(tmp_path / 'one.json')))}@128x128" == rows[0]["fingerprint"]


def test_a_sample_is_sorted_among_itself(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["enumerate", "paper", *NANO, "--sample", 3, "--limit", 6, "--json"]
    drawn, ordered = (json.loads(out_of(capsys, *asked, *more)) for more in ((), ("--sort", "parameters")))
    sizes = [row["parameters"] for row in ordered]
    assert sizes == sorted(row["parameters"] for row in drawn)


def test_devices_and_spaces_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    text = out_of(capsys, "devices")
    assert all(name in text for name in devices())
    assert max(map(len, text.splitlines())) <= 80
    told = {one["name"]: one for one in json.loads(out_of(capsys, "devices", "--json"))}
    assert 0 < told["snapdragon-865"]["error_mean"] < told["snapdragon-865"]["error_largest"] < 0.1
    told = json.loads(out_of(capsys, "spaces", *NANO, "--json"))
    assert set(told) == set(spaces())
    assert (told["paper"]["designs"], len(told["paper"]["axes"])) == (106_272, 7)


def test_the_front_is_written_as_designs_that_commands_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [record(0, 50, 4), record(1, 60, 5), record(2, 40, 4.5), record(3, None, 9)]
    folder = run_folder(tmp_path / "run", records)
    designs = tmp_path / "front"
    out_of(capsys, "pareto", folder, "--designs", designs)
    files = sorted(designs.iterdir())
    assert {read_design(str(path)).num_classes for path in files} == {2, 3}
    for path in files:
        by_name = json.loads(out_of(capsys, "cost", f"{folder}:{path.stem[:6]}", "--json"))
        by_file = json.loads(out_of(capsys, "cost", path, "--size", 128, "--json"))
        # A record brings its input size along.
        assert by_name == by_file
    named = f"{folder}:{files[0].stem}"
    rows = tmp_path / "rows.csv"
    assert "128x128" in out_of(capsys, "measure", named, "--out", rows, "--dry-run")
    assert named not in out_of(capsys, "compare", "snapdragon-865", "raspberry-pi-5", "--run", folder)


def test_designs_of_several_sizes_need_a_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "run", [record(0), record(1, height=96)])
    names = [
        f"{folder}:{json.loads(line)['fingerprint']}" for line in (folder / "records.jsonl").read_text().splitlines()
    ]
    told = refused(capsys, "measure", *names, "--out", tmp_path / "rows.csv", "--dry-run")
    assert "--size must say one size, as the designs were recorded at 2" in told
    assert "at 96x128" in told
    out_of(capsys, "measure", *names, "--size", 64, "--out", tmp_path / "rows.csv", "--dry-run")


def test_a_run_or_fingerprint_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "run", [record()])
    assert f"no design of {folder} has a fingerprint that begins with 'zz'" in refused(capsys, "cost", f"{folder}:zz")
    for command in ("cost", "latency", "export --to onnx --out x.onnx", "measure --out x.csv"):
        told = refused(capsys, *command.split(), "nowhere:d86f")
        assert "there is no run 'nowhere': no records.jsonl in nowhere or runs/nowhere" in told


def test_two_designs_are_compared_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "run", [record(0)])
    named = f"{folder}:{json.loads((folder / 'records.jsonl').read_text())['fingerprint'][:6]}"
    drawing = tmp_path / "both.svg"
    told = json.loads(out_of(capsys, "compare", "tiny", named, "--drawing", drawing, "--json"))
    assert (told["height"], told["second"]["name"]) == (128, named)
    assert {one["name"] for one in told["differences"]} >= {"classes", "rows to 1/4"}
    assert drawing.read_text().count("</svg>") == 3
    assert "not injected" in out_of(capsys, "draw", "tiny", "--out", tmp_path / "t.svg") + drawing.read_text()


def test_a_design_is_not_compared_with_a_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "compare", "base", "raspberry-pi-5")
    assert "two designs or two devices, got 'base', a design, and 'raspberry-pi-5', a device" in told
    told = refused(capsys, "compare", "raspberry-pi-4", "raspberry-pi-5", "--drawing", tmp_path / "x.svg")
    assert "--drawing draws two designs" in told
