"""The command line as a user meets it: values on stdout, one clear line on stderr, an exit status."""

import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from experiments.cli import COMMANDS, main, parser
from tests import ROOT
from topformer.codec import to_json
from topformer.presets import NANO

TOPFORMER = (sys.executable, "-c", "from experiments.cli import entry; entry()")
NANO_STUDY = ROOT / "experiments" / "studies" / "nano-tokenworld.toml"


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    status = main([str(arg) for arg in args])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """The one line of a command that was the user's mistake."""
    status, out, err = run(capsys, *args)
    assert (status, out) == (2, "")
    assert err.startswith("topformer: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(("command", "summary"), COMMANDS.items())
def test_the_module_of_a_command_begins_with_what_the_list_says(command: str, summary: str) -> None:
    module = import_module(f"experiments.cli.{command.replace('-', '_')}")
    assert str(module.__doc__).startswith(f"{summary}.")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parser().parse_args([command, "--help"])
    assert stop.value.code == 0
    assert f"topformer {command}" in capsys.readouterr().out.partition("example:")[2]


def test_cost_gives_the_released_base(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "cost", "base", "--size", "512", "--json")
    cost = json.loads(out)
    assert cost["parameters"] == 5_062_646
    assert round(cost["macs"] / 1e9, 3) == 1.820
    assert round(cost["macs_conv_matmul"] / 1e9, 3) == 1.752
    assert round(cost["macs_paper_convention"] / 1e9, 3) == 1.813
    assert sum(share["macs"] for share in cost["by_module"].values()) == cost["macs"]


def test_latency_gives_an_interval_around_the_published_time(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "latency", "base", "--device", "snapdragon-865", "--size", "512", "--json")
    latency = json.loads(out)
    assert latency["low"] < 110 < latency["high"]
    assert sum(latency["by_module"].values()) == pytest.approx(latency["milliseconds"])
    assert {"coverage", "boundary"} <= set(latency)


def test_a_design_file_is_a_design(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(to_json(NANO)))
    _, named, _ = run(capsys, "cost", "nano", "--size", "128", "--json")
    _, read, _ = run(capsys, "cost", path, "--size", "128", "--json")
    assert json.loads(named) == json.loads(read)


def test_enumerate_lists_distinct_designs_within_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("enumerate", "paper", "--base", "nano", "--size", "128", "--limit", 7, "--max-latency-ms", 2, "--json")
    _, out, _ = run(capsys, *args)
    rows = json.loads(out)
    assert len({row["fingerprint"] for row in rows}) == 7
    assert all(row["latency_ms@snapdragon-865"] <= 2 for row in rows)


def test_an_unknown_name_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'base'?" in refused(capsys, "cost", "bse")
    assert "did you mean 'snapdragon-865'?" in refused(capsys, "latency", "base", "--device", "snapdragon-856")
    assert "did you mean 'paper'?" in refused(capsys, "enumerate", "papr")
    assert "did you mean 'random'?" in refused(capsys, "sweep", "nano-tokenworld", "--sampler", "randm")
    assert "did you mean 'nano-tokenworld'?" in refused(capsys, "sweep", "nano-tokenword")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'? accepted: sweep"),
        ("train --recipe ade20k-160", "unknown --recipe 'ade20k-160'; did you mean 'ade20k-160k'?"),
        ("data check ade20 folder", "did you mean 'ade20k'?"),
        ("train --workers -1", "--workers: must be an integer of at least 0, got '-1'; see topformer train --help"),
        ("pretrain --data x --size 1000000", "--size: must be at most 16,384, got '1000000'"),
        ("train --seed -1", "--seed: must be an integer from 0 to 4294967295, got '-1'"),
        ("pretrain --data x --seed 4294967296", "got '4294967296'"),
        ("pretrain --data x --learning-rate nan", "--learning-rate: must be a finite number above 0, got 'nan'"),
        ("enumerate paper --max-ms -1", "must be a finite number above 0, got '-1'"),
        ("enumerate paper --count --summary", "not allowed with argument --count"),
        ("cost", "required: design; see topformer cost --help"),
        ("detect cost tiny --classes 0", "--classes: must be an integer of at least 1, got '0'"),
        ("sweep x --woorkers 2", "unknown option '--woorkers'; did you mean --workers?; see topformer sweep --help"),
        ("evaluate w.pth --dta x", "unknown option '--dta'; did you mean --data?; see topformer evaluate --help"),
        ("data check x --shet y", "unknown option '--shet'; did you mean --sheet?; see topformer data check --help"),
        ("cost base -json", "unknown option '-json'; did you mean --json?; see topformer cost --help"),
        ("--workers 2 sweep x", "unknown option '--workers'; options stand behind the command; see topformer --help"),
        (
            "cost base 512x1024",
            "unexpected value '512x1024', as topformer cost takes DESIGN beside its options; did you",
        ),
        ("cost base --json yes", "--json takes no value, got 'yes'; see topformer cost --help"),
        ("cost base --classes 99999999999999999999", "--classes: must be at most 65,536, got '99999999999999999999'"),
        ("sweep x --workers 1000000000000", "--workers: must be at most 1,024, got '1000000000000'"),
        ("ablate all --workers 0", "--workers: must be an integer of at least 1, got '0'"),
        ("sweep x --seed 4294967296", "--seed: must be an integer from 0 to 4294967295, got '4294967296'"),
        ("sweep x --trials many", "--trials: must be an integer of at least 1, got 'many'"),
        ("sweep x --max-latency-ms nan", "--max-latency-ms: must be a finite number above 0, got 'nan'"),
        ("train --data x --batch 1e3", "--batch: must be an integer of at least 1, got '1e3'"),
        ("train --data x --out=", "--out: must name a file or folder, got ''"),
        ("pareto \x1b[31mrun", r"run: must name a file or folder, got '\x1b[31mrun'"),
    ],
)
def test_a_line_that_does_not_parse_is_answered_in_one_line(
    line: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.startswith("topformer: ")
    assert err.endswith(" --help\n")
    assert err.count("\n") == 1
    assert shown in err


def test_a_design_of_weights_that_are_not_given_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "got nano without a --checkpoint" in refused(capsys, "train", "--data", "x", "--from-design", "nano")


def test_help_shows_a_default_only_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "(default: 0)" in out
    assert "None)" not in out
    assert "False)" not in out


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ("16", "16"),
        ("512x8", "8"),
        ("big", "'big'"),
        ("-5", "'-5'"),
        ("1000000", "input height must be at most 16,384, got 1000000"),
        (str(2**63), "size must be a number of pixels or HEIGHTxWIDTH"),
    ],
)
def test_an_impossible_size_is_refused(size: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown in refused(capsys, "cost", "base", f"--size={size}")


@pytest.mark.parametrize(
    ("edit", "shown"),
    [
        ({"width": 0}, "width must be an integer of at least 1, got 0"),
        ({"pool_stride": 48}, "pool_stride must be a power of two of at least 32, got 48"),
        ({"injected": [8, 12]}, "injected must be"),
        ({"extractor": "transfromer"}, "did you mean 'transformer'?"),
        ({"widht": 64}, "did you mean 'width'?"),
        ({"schema": 99}, "design.schema must be 1, got 99"),
        ({"blocks": []}, "blocks must hold at least one block"),
        ({"rows": "all"}, "design.rows must be a list, got 'all'"),
    ],
)
def test_a_design_that_cannot_be_built_is_refused(
    edit: dict[str, object], shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**to_json(NANO), **edit}))
    assert shown in refused(capsys, "cost", path)


def test_a_design_file_that_is_not_there_or_not_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.json").write_text("{")
    assert "No such file" in refused(capsys, "cost", tmp_path / "absent.json")
    assert "is not JSON" in refused(capsys, "cost", tmp_path / "broken.json")


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (r"^trials = \d+", 'trials = "many"', "trials"),
        (r"^trials = ", "trails = ", "did you mean 'trials'?"),
        ('name = "paper"', 'name = "papr"', "did you mean 'paper'?"),
        ('base = "nano"', 'base = "nanoo"', "did you mean 'nano'?"),
        ("height = 128", "height = 16", "height"),
        ('device = "snapdragon-865"', 'device = "snapdragon-86"', "did you mean 'snapdragon-865'?"),
        (
            r'objectives = \["accuracy", "latency_ms"\]',
            'objectives = ["accuracy", "latency"]',
            "did you mean 'latency_ms'?",
        ),
        ("width = 128", 'width = 128\nonly = { widht = ["64"] }', "did you mean 'width'?"),
        ("width = 128", 'width = 128\nonly = { width = ["65"] }', "65"),
        ("seed = 0\nworkers", "seed = \nworkers", "is not TOML"),
    ],
)
def test_a_study_file_with_wrong_keys_or_values_is_refused(
    old: str, new: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, edits = re.subn(old, new, NANO_STUDY.read_text(), count=1, flags=re.MULTILINE)
    assert edits == 1
    path = tmp_path / "study.toml"
    path.write_text(text)
    assert shown in refused(capsys, "sweep", path, "--out", tmp_path / "run", "--dry-run")
    assert not (tmp_path / "run").exists()


def test_a_dry_run_costs_the_space_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "sweep", "nano-tokenworld", "--dry-run", "--out", tmp_path / "run")
    assert status == 0
    assert "106,272 distinct designs" in out
    assert not list(tmp_path.iterdir())


def test_pareto_of_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "pareto", tmp_path)
    assert (status, out) == (2, "")
    assert "study.json" in err
    assert err.count("\n") == 1


def test_data_problems_are_listed_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "world"
    run(capsys, "data", "tokenworld", "--out", root, "--size", 64, "--training", 3, "--validation", 2)
    labels = sorted((root / "annotations" / "training").iterdir())
    labels[0].unlink()
    image = sorted((root / "images" / "validation").iterdir())[0]
    image.write_bytes(image.read_bytes()[:200])
    status, _, err = run(capsys, "data", "check", root)
    assert status == 2
    assert labels[0].stem in err
    assert image.name in err
    assert "Traceback" not in err


def test_a_full_disk_is_one_line() -> None:
    command = ["bash", "-c", shlex.join([*TOPFORMER, "cost", "base"]) + " > /dev/full"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = shlex.join([*TOPFORMER, *["enumerate", "paper", "--base", "nano", "--size", "128", "--limit", "400"]])
    command = ["bash", "-c", f"set -o pipefail; {program} | head -n 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("fingerprint")


def test_a_bug_is_one_line_and_a_file_with_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise RuntimeError("what nobody foresaw")

    monkeypatch.setattr("experiments.cli.doctor.run", broken)
    status, out, err = run(capsys, "doctor")
    assert (status, out) == (1, "")
    assert "unexpected RuntimeError: what nobody foresaw" in err
    report = Path(err.split()[-1])
    assert "in broken" in report.read_text()
    report.unlink()


def test_data_of_ones_own_replaces_the_embedded_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a folder" in refused(
        capsys, "sweep", "nano-tokenworld", "--data", tmp_path / "absent", "--out", tmp_path / "run"
    )


def test_a_negative_number_of_rows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["enumerate", "paper", "--limit", "-3"])
    assert stop.value.code == 2
    assert "--limit: must be an integer of at least 0, got '-3'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        ["cost", "tiny", "--size", ""],
        ["cost", "tiny", "--size="],
        ["cost", " "],
        ["enumerate", "paper", "--base", ""],
        ["sweep", "nano-tokenworld", "--data=", "--dry-run"],
        ["ablate", "list", "--evaluator", "  "],
    ],
    ids=" ".join,
)
def test_an_empty_value_does_not_become_a_default(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line)
    assert "must not be empty, got '" in capsys.readouterr().err
