"""CSV files of any program: read with their lines, or refused in one sentence."""

import os
from pathlib import Path

import pytest

from topformer.csv_file import read_csv, whole_lines
from topformer.errors import RecordError
from topformer.kinds import number_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
def test_marks_line_ends_and_empty_lines_of_programs_are_read(path: Path, mark: str, ends: str, last: str) -> None:
    path.write_text(f'{mark}a,b\n1,2\n\n3,"x\ny"{last}', encoding="utf-8", newline=ends)
    found = read_csv(path)
    assert found.columns == ("a", "b")
    assert [line.cells["a"] for line in found.lines] == ["1", "3"]
    assert [line.where.rpartition(" ")[2] for line in found.lines] == ["2", "5"]
    assert whole_lines(path, ["b"])[0] == {"a": "1", "b": "2"}


def test_the_delimiter_is_that_of_the_first_line_among_those_that_may_be(path: Path) -> None:
    path.write_text("a;b\n1,5;2\n")
    assert read_csv(path, delimiters=",;\t").lines[0].cells == {"a": "1,5", "b": "2"}
    path.write_text("a;b\n1;2\n")
    assert read_csv(path).columns == ("a;b",)


def test_a_line_that_ends_early_has_no_value_there(path: Path) -> None:
    path.write_text("a,b\n1\n")
    assert read_csv(path).lines[0].cells == {"a": "1", "b": None}
    with pytest.raises(RecordError, match=r"a\.csv, line 2: there must be 2 values, as in the first line"):
        whole_lines(path, ["a"], error=RecordError)


def test_a_delimiter_at_the_end_of_a_line_is_no_value(path: Path) -> None:
    path.write_text("a,b\n1,2,\n")
    assert whole_lines(path, ["a", "b"]) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2,3\n", "line 2: there must be 2 values, as in the first line, got 3"),
        ("a,b,a\n1,2,3\n", "has two columns of the name 'a'"),
        ('a,b\n"1,2\n', "line 2: unexpected end of data"),
        ("a,b\n" + "1" * 200_000 + ",2\n", "line 2: field larger than field limit"),
        ("a,b\n1\0,2\n", "is a binary file, not text"),
        ("c,d\n1,2\n", r"must have the columns a, b, got c, d"),
        ("", r"must have the columns a, b, got none"),
    ],
)
def test_what_is_no_table_is_named_with_its_line(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(RecordError, match=said) as caught:
        whole_lines(path, ["a", "b"], error=RecordError)
    assert "\n" not in str(caught.value)


def test_other_columns_may_be_anywhere_only_where_they_are_named(path: Path) -> None:
    path.write_text("x,a,b\n1,2,3\n")
    assert whole_lines(path, ["a", "b"], ["x", "y"]) == [{"x": "1", "a": "2", "b": "3"}]
    with pytest.raises(RecordError, match="must have the columns a, b, got x, a, b"):
        whole_lines(path, ["a", "b"], [], error=RecordError)


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(RecordError, match=r"cannot read the table .*a\.csv: it is a pipe"):
        read_csv(path, error=RecordError)


@pytest.mark.parametrize("text", ["1_000", "\u0661\u0665", "\uff11", "", "1,5", "0x10", "1 2"])
def test_a_number_stands_in_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no number|invalid literal|could not convert"):
        number_in(text)


def test_white_space_around_a_number_is_none_of_it() -> None:
    assert number_in(" 15 ", int) == 15
