"""A file of measured rows keeps them, and refuses what is none."""

import csv
from dataclasses import fields
from pathlib import Path

import pytest

from experiments.measure.rows import COLUMNS, append_row, read_rows
from tests.experiments_tests.measure.examples import row
from topformer.errors import InputError
from topformer.presets import NANO


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
