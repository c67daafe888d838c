"""Rows of measurements: what many runs say, and a file that keeps them."""

import csv
from dataclasses import fields
from pathlib import Path

import pytest

from experiments.measure import device_script
from experiments.measure.protocol import LARGEST_SPREAD, Protocol, complaint, timing, unsteadiness
from experiments.measure.rows import COLUMNS, append_row, read_rows
from tests.experiments_tests.measure.examples import row
from topformer.errors import InputError
from topformer.presets import NANO


def test_median_and_spread_of_runs() -> None:
    found = timing([3.0, 1.0, 2.0, 5.0, 4.0])
    assert (found.median_ms, found.min_ms, found.mad_ms, found.runs) == (3.0, 1.0, 1.0, 5)
    assert found.p90_ms == pytest.approx(4.6)  # 9/10 of the way from the first to the fifth: between 4 and 5
    assert found.spread == pytest.approx(1.6 / 3)


@pytest.mark.parametrize(
    ("samples", "clocks", "said"),
    [
        ([10.0] * 20, (None, None), ""),
        ([10.0] * 20, (2400.0, 2390.0), ""),
        ([10.0] * 20, (2400.0, 1800.0), "the clock fell from 2400 to 1800 MHz"),
        ([10.0, 10.0, 10.0, 11.0] * 5, (None, None), "the 90th percentile is 10% above the median"),
        ([10.0] * 9 + [10.6] * 11, (None, None), "the network took 10, 10, 10.6, 10.6, 10.6 ms from start to end, 6%"),
    ],
)
def test_what_is_not_stable_is_named(
    samples: list[float], clocks: tuple[float | None, float | None], said: str
) -> None:
    found = complaint(samples, [5.0] * 20, *clocks)
    assert found.startswith(said)
    assert bool(found) == bool(said)


class Device:
    """A processor with a clock of its own, which slows down for good after some time: what a hot phone does."""

    def __init__(self, cool_seconds: float, slower: float) -> None:
        self.now = 0.0
        self._cool_seconds, self._slower = cool_seconds, slower

    def perf_counter(self) -> float:
        """Seconds since the start."""
        return self.now

    def run(self, milliseconds: float) -> None:
        """Compute for so long, or longer when hot."""
        self.now += milliseconds / 1e3 * (self._slower if self.now > self._cool_seconds else 1.0)


@pytest.mark.parametrize("cool_seconds", [0.15, 0.2, 0.3])
def test_a_device_that_slows_down_is_seen_though_most_runs_agree(
    monkeypatch: pytest.MonkeyPatch, cool_seconds: float
) -> None:
    device = Device(cool_seconds, 1.3)
    monkeypatch.setattr("experiments.measure.device_script.time.perf_counter", device.perf_counter)
    runners = {"candidate": lambda: device.run(10.0), "reference": lambda: device.run(5.0)}
    found = device_script.in_turns(runners, 50, 10.0)
    # The runs alone do not tell: their 90th percentile is their median, both of a hot processor.
    assert timing(found["candidate"]).spread < LARGEST_SPREAD
    assert "apart" in complaint(found["candidate"], found["reference"])
    assert unsteadiness(found["candidate"], found["reference"]) == pytest.approx(0.3)


def test_a_device_that_stays_cool_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(1e9, 1.3)
    monkeypatch.setattr("experiments.measure.device_script.time.perf_counter", device.perf_counter)
    runners = {"candidate": lambda: device.run(10.0), "reference": lambda: device.run(5.0)}
    found = device_script.in_turns(runners, 50, 10.0)
    assert complaint(found["candidate"], found["reference"]) == ""
    assert unsteadiness(found["candidate"], found["reference"]) == pytest.approx(0, abs=1e-9)


def test_a_reference_that_drifts_is_shown_from_start_to_end() -> None:
    reference = [5.0] * 20 + [5.1] * 10 + [5.4] * 20
    assert complaint([10.0] * 50, reference) == (
        "the reference took 5, 5, 5.1, 5.4, 5.4 ms from start to end, 8% apart (allowed: 5%)"
    )


@pytest.mark.parametrize("wrong", [{"runs": 4}, {"warmup": 0}, {"repeats": -1}, {"seconds": 0.0}, {"timeout": -1.0}])
def test_a_protocol_that_measures_nothing_is_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} must be"):
        Protocol(**wrong)  # type: ignore[arg-type]


def test_rows_come_back_as_they_went(tmp_path: Path) -> None:
    rows = (row(), row(NANO, 64, 1.5, stable=False, clock_mhz_before=None))
    for one in rows:
        append_row(tmp_path / "new" / "rows.csv", one)
    assert read_rows(tmp_path / "new" / "rows.csv") == rows


def test_the_file_is_plain_csv_with_one_header(tmp_path: Path) -> None:
    for _ in range(2):
        append_row(tmp_path / "rows.csv", row())
    with (tmp_path / "rows.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert [len(line) for line in lines] == [len(fields(row()))] * 3
    assert lines[0][:3] == ["device", "soc", "core"]
    assert lines[1][1] == "Chip 1, rev. B"


def test_a_row_that_a_killed_process_left_unfinished_is_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    append_row(path, row())
    with path.open("a") as file:
        file.write("board,Chip")
    append_row(path, row(NANO, 64))
    assert [one.height for one in read_rows(path)] == [512, 64]


def test_rows_are_not_added_to_another_table(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("name,age\n")
    with pytest.raises(InputError, match="is no file of measured rows: its first line is b'name,age'"):
        append_row(tmp_path / "rows.csv", row())


def changed(path: Path, column: str, text: str) -> Path:
    append_row(path, row())
    with path.open(newline="") as file:
        (values,) = csv.DictReader(file)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerow({**values, column: text})
    return path


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("median_ms", "-3", "line 2: median_ms must be a finite number above 0, got -3"),
        ("median_ms", "nan", "line 2: median_ms must be a finite number above 0, got nan"),
        ("median_ms", "0.02", "line 2: min_ms, median_ms and p90_ms must not fall, got 19.6, 0.02, 20.4"),
        ("reference_ms", "0.02", "line 2: ratio must be median_ms / reference_ms, got 1 for 20 and 0.02"),
        ("median_ms", "20 ms", "line 2: median_ms cannot be '20 ms'"),
        ("median_ms", "fast", "line 2: median_ms cannot be 'fast'"),
        ("height", "8", "line 2: input height must be an integer of at least 32 pixels, got 8"),
        ("stable", "maybe", "line 2: stable cannot be 'maybe'"),
        ("design", '{"rows": []}', "line 2: design cannot be .*design.taps is missing"),
        ("design", "tiny", "line 2: design cannot be 'tiny'"),
        ("fingerprint", "0123456789ab", "line 2: the fingerprint '0123456789ab' is not that of the design"),
    ],
)
def test_an_impossible_value_is_named_with_its_line(tmp_path: Path, column: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_rows(changed(tmp_path / "rows.csv", column, text))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",".join(COLUMNS[2:]) + "\n")
    with pytest.raises(InputError, match="misses the columns device, soc"):
        read_rows(tmp_path / "rows.csv")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the rows .*none\.csv"):
        read_rows(tmp_path / "none.csv")
