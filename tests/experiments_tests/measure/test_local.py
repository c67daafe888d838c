"""Measuring on this machine, for real: every engine runs, and what goes wrong is one message."""

import json
import os
import sys
from pathlib import Path

import pytest

from experiments.measure import device_script
from experiments.measure.commands import MeasureError
from experiments.measure.local import Local
from experiments.measure.reply import read_reply
from experiments.measure.rows import append_row, read_rows
from experiments.measure.target import RUNTIMES, SCRIPT, Target
from experiments.measure.targets import open_target
from tests.experiments_tests.measure.conformance import Left, TargetConformance
from tests.experiments_tests.measure.examples import OPTIONS, command, placeholder_export, quick, row
from topformer.codec import fingerprint
from topformer.errors import InputError
from topformer.presets import NANO, TINY


class TestLocal(TargetConformance):
    """This machine."""

    @pytest.fixture
    def target(self) -> Target:
        return open_target("local", OPTIONS)

    @pytest.fixture
    def left(self) -> Left:
        return list  # what runs here lies in the session's own folder


def test_every_engine_of_the_table_has_a_part_in_the_script() -> None:
    assert set(device_script.RUNTIMES) == set(RUNTIMES)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_engine_gives_a_row(tmp_path: Path, runtime: str) -> None:
    command("measure", *quick("nano", "--runtime", runtime, "--out", tmp_path / "rows.csv"))
    (found,) = read_rows(tmp_path / "rows.csv")
    assert (found.runtime, found.fingerprint, found.height, found.width) == (runtime, fingerprint(NANO), 64, 96)
    assert 0 < found.min_ms <= found.median_ms <= found.p90_ms
    assert found.ratio == pytest.approx(found.median_ms / found.reference_ms, rel=1e-4)
    assert found.runs == 12
    assert found.core.startswith("cpu")
    assert found.runtime_version
    assert found.abi == os.uname().machine


def test_a_larger_network_takes_longer_than_its_reference(tmp_path: Path) -> None:
    words = quick("tiny", "nano", "--runtime", "ncnn", "--out", tmp_path / "rows.csv")
    command("measure", *words, "--size", "192")
    tiny, nano = read_rows(tmp_path / "rows.csv")
    assert tiny.design == TINY
    # By their fastest runs, which another load on this machine touches least; Tiny has twice the multiplications.
    assert tiny.min_ms > nano.min_ms


def test_an_unstable_measurement_is_repeated_and_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.measure.stability.LARGEST_SPREAD", -1.0)  # no measurement can be this stable
    words = quick("nano", "--runtime", "ncnn", "--out", tmp_path / "rows.csv")
    command("measure", *words, "--repeats", 2)
    said = capsys.readouterr().out
    assert not read_rows(tmp_path / "rows.csv")[0].stable
    assert said.count("measured again") == 2
    assert "NOT STABLE" in said


def test_a_dry_run_prints_the_command_and_measures_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("measure", *quick("nano", "--dry-run", "--out", tmp_path / "rows.csv"))
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["FOLDER/device_script.py", "FOLDER/job.json"]
    assert list(tmp_path.iterdir()) == []


def test_a_hanging_device_is_given_up_and_earlier_rows_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = quick("nano", "--runtime", "ncnn", "--out", tmp_path / "rows.csv")
    append_row(tmp_path / "rows.csv", row())
    monkeypatch.setattr("experiments.measure.session.export", placeholder_export)
    with pytest.raises(MeasureError, match=r"no answer within 0\.05 seconds while measuring; it hangs or is gone$"):
        command("measure", *words, "--timeout", 0.05)
    assert len(read_rows(tmp_path / "rows.csv")) == 1


def test_the_script_says_which_runtime_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.json").write_text(
        json.dumps({"runtime": "ncnn", "models": {}, "shape": [1, 3, 64, 64], "limit_seconds": 600})
    )
    monkeypatch.setitem(sys.modules, "ncnn", None)
    monkeypatch.chdir(tmp_path)
    # The tests themselves shall neither be killed by an alarm nor stay on one core.
    monkeypatch.setattr("signal.alarm", lambda seconds: None)
    monkeypatch.setattr(device_script, "pin", lambda: None)
    device_script.main(str(tmp_path / "job.json"))
    with pytest.raises(MeasureError, match="local: ncnn cannot be imported on the device"):
        read_reply(capsys.readouterr().out, "local")


def test_the_script_stands_alone(tmp_path: Path) -> None:
    source = SCRIPT.read_text()
    assert "experiments" not in source
    assert "topformer" not in source


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "expected one line of JSON, got 'nothing'"),
        ("welcome\n\x1b[31mto this device", r"got '\?\[31mto this device'"),
        ('{"samples_ms": {"candidate": [1.0]}}', "times must be finite numbers above 0, got None"),
        ('{"samples_ms": {"candidate": [1.0, -2.0], "reference": [1.0]}}', "above 0, got -2.0"),
        ('{"samples_ms": {"candidate": [NaN], "reference": [1.0]}}', "expected one line of JSON"),
        ('{"samples_ms": {"candidate": ["1"], "reference": [1.0]}}', "above 0, got '1'"),
        ("[1, 2]", "expected one line of JSON"),
    ],
)
def test_a_reply_that_is_none_is_refused(output: str, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        Local().reply(output)


def test_a_clock_of_0_is_a_clock_that_is_not_known() -> None:
    samples = '"samples_ms": {"candidate": [1.0], "reference": [1.0]}'
    reply = Local().reply(f'{{{samples}, "clock_mhz_before": 0.0, "clock_mhz_after": 1500, "temperature_c_after": 0}}')
    assert (reply.clock_mhz_before, reply.clock_mhz_after, reply.temperature_c_after) == (None, 1500.0, 0.0)


@pytest.mark.parametrize("address", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://u@h:port", "ssh://h/x"])
def test_an_address_that_ssh_would_misread_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"must read ssh://\[USER@\]HOST\[:PORT\]"):
        open_target(address, OPTIONS)


def test_an_unknown_kind_of_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"device must be local, ssh.*got 'usb'"):
        command("measure", *quick("nano", "--on", "usb", "--out", tmp_path / "rows.csv"))
