"""Measuring on a phone, against a stand-in for adb whose phone is a folder, and one for the benchmark program."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.measure.commands import MeasureError
from experiments.measure.rows import read_rows
from experiments.measure.target import Target
from experiments.measure.targets import open_target
from tests.experiments_tests.measure.conformance import Left, TargetConformance
from tests.experiments_tests.measure.examples import OPTIONS, command, placeholder_export, quick
from topformer.errors import InputError

ADB = """#!{python}
import os, shutil, subprocess, sys
phone, words = os.environ["PHONE"], sys.argv[1:]
if os.environ.get("PHONE_SAYS"):
    sys.exit(os.environ["PHONE_SAYS"])
if words[0] == "-s":
    if words[1] != "R5CT":
        sys.exit("adb: device '%s' not found" % words[1])
    words = words[2:]
inside = lambda text: text.replace("/data/local/tmp", phone)
if words[0] == "push":
    for path in words[1:-1]:
        shutil.copyfile(path, os.path.join(inside(words[-1]), os.path.basename(path)))
elif words[0] == "shell":
    sys.exit(subprocess.run(["sh", "-c", inside(" ".join(words[1:]))]).returncode)
"""

BENCHMARK = """#!/bin/sh
[ "$1 $2 $3 $4 $5 $7" = "1 1 2 -1 0 shape=[96,64,3]" ] || exit 1
echo "loop_count = 1" >&2
[ -f "${6#param=}" ] || exit 1
case "$6" in
    param=candidate.param) time=12.50 ;;
    param=reference.param) time=50.00 ;;
esac
echo "${6#param=}  min =   $time  max =   $time  avg =   $time" >&2
"""

GETPROP = """#!/bin/sh
case "$1" in
    ro.product.model) echo "Phone 5" ;;
    ro.soc.model) echo SM8250 ;;
    ro.product.cpu.abi) echo arm64-v8a ;;
esac
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is the phone's /data/local/tmp."""
    programs = tmp_path / "programs"
    (tmp_path / "phone").mkdir()
    programs.mkdir()
    write(programs / "adb", ADB.replace("{python}", sys.executable))
    write(programs / "getprop", GETPROP)
    write(programs / "bench", BENCHMARK)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("PHONE", str(tmp_path / "phone"))
    # The stand-in of the benchmark runs no network, so none is exported.
    monkeypatch.setattr("experiments.measure.session.export", placeholder_export)
    return tmp_path / "phone"


def words(tmp_path: Path, *more: object, on: str = "adb:R5CT") -> Sequence[object]:
    options = ("--on", on, "--runtime", "ncnn", "--program", tmp_path / "programs" / "bench")
    return (*quick("tiny", *options, "--out", tmp_path / "rows.csv"), *more)


class TestAdb(TargetConformance):
    """A phone."""

    @pytest.fixture
    def target(self, phone: Path) -> Target:
        return open_target("adb:R5CT", replace(OPTIONS, program=phone.parent / "programs" / "bench"))

    @pytest.fixture
    def left(self, phone: Path) -> Left:
        return lambda: list(phone.iterdir())


def test_the_times_of_the_program_become_a_row(tmp_path: Path, phone: Path) -> None:
    command("measure", *words(tmp_path))
    (row,) = read_rows(tmp_path / "rows.csv")
    assert (row.median_ms, row.reference_ms, row.ratio, row.runs) == (12.5, 50.0, 0.25, 12)
    assert (row.device, row.soc, row.abi) == ("Phone 5", "SM8250", "arm64-v8a")
    assert "fp16" in row.precision
    assert list(phone.iterdir()) == []


def test_a_dry_run_prints_what_reaches_the_phone(
    tmp_path: Path, phone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("measure", *words(tmp_path, "--dry-run"))
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [tuple(line[:4]) for line in commands] == [
        ("adb", "-s", "R5CT", "shell"),
        ("adb", "-s", "R5CT", "push"),
        ("adb", "-s", "R5CT", "shell"),
        ("adb", "-s", "R5CT", "shell"),
    ]
    assert "FOLDER/bench" in commands[1]
    assert list(phone.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "doing"),
    [("error: device offline", "copying"), ("adb: no devices/emulators found", "copying")],
)
def test_what_adb_complains_of_is_passed_on(
    tmp_path: Path, phone: Path, monkeypatch: pytest.MonkeyPatch, said: str, doing: str
) -> None:
    monkeypatch.setenv("PHONE_SAYS", said)
    with pytest.raises(MeasureError, match=f"adb:R5CT: {doing} to it failed with status 1: {said}$"):
        command("measure", *words(tmp_path))


def test_another_phone_is_not_taken_for_this_one(tmp_path: Path, phone: Path) -> None:
    with pytest.raises(MeasureError, match="device 'OTHER' not found"):
        command("measure", *words(tmp_path, on="adb:OTHER"))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo garbage", r"times must be finite numbers above 0, got \[\]"),
        ("echo '  x  min =   nan  max =  nan  avg =   nan'", "above 0, got nan"),
        ("echo '  x  min =   1.0  max =  1.0  avg =   fast'", "no time in"),
        ("echo cannot link executable >&2; exit 1", "measuring failed with status 1"),
        ("kill -9 $PPID", "measuring failed with"),
    ],
)
def test_a_program_that_prints_no_time_is_named(tmp_path: Path, phone: Path, program: str, said: str) -> None:
    write(tmp_path / "programs" / "bench", f"#!/bin/sh\n{program}\n")
    with pytest.raises(MeasureError, match=said):
        command("measure", *words(tmp_path))
    assert list(phone.iterdir()) == []


def test_a_phone_that_hangs_is_given_up(tmp_path: Path, phone: Path) -> None:
    write(tmp_path / "programs" / "bench", "#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(MeasureError, match="no answer within 1 seconds"):
        command("measure", *words(tmp_path, "--timeout", 1))


def test_rows_from_before_a_failure_are_kept(tmp_path: Path, phone: Path) -> None:
    # One measurement of 12 runs starts the program 25 times: twice for each run, and once to warm up.
    limit = f"echo x >> {tmp_path}/calls; [ $(wc -l < {tmp_path}/calls) -le 25 ] || exit 1"
    write(tmp_path / "programs" / "bench", BENCHMARK.replace("#!/bin/sh", f"#!/bin/sh\n{limit}"))
    with pytest.raises(MeasureError, match=r"1 of 2 rows were measured before and are in .*rows\.csv"):
        command("measure", "nano", *words(tmp_path))
    assert len(read_rows(tmp_path / "rows.csv")) == 1


def test_output_that_ends_early_is_no_measurement(tmp_path: Path, phone: Path) -> None:
    adb = tmp_path / "programs" / "adb"
    adb.write_text(adb.read_text().replace('elif words[0] == "shell":', 'elif "adb_script.sh" not in words[1]:'))
    with pytest.raises(MeasureError, match="the output ends early, with 'nothing'"):
        command("measure", *words(tmp_path))


def test_without_adb_it_is_asked_for(tmp_path: Path, phone: Path) -> None:
    (tmp_path / "programs" / "adb").unlink()
    with pytest.raises(MeasureError, match="adb is needed and is not on PATH"):
        command("measure", *words(tmp_path))


@pytest.mark.parametrize("more", [("--runtime", "onnxruntime"), ("--runtime", "torch")])
def test_a_phone_runs_ncnn_only(tmp_path: Path, phone: Path, more: Sequence[str]) -> None:
    with pytest.raises(InputError, match="runtime on adb:R5CT must be one of ncnn"):
        command("measure", *words(tmp_path, *more))


def test_a_phone_needs_a_program(tmp_path: Path, phone: Path) -> None:
    with pytest.raises(InputError, match=r"program must be a static benchmark program.*got none"):
        command("measure", *quick("tiny", "--on", "adb", "--runtime", "ncnn", "--out", tmp_path / "rows.csv"))
