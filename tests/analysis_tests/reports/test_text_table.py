"""One table in four forms: nothing in a label breaks any of them, and programs get numbers."""

import csv
import io
import re

import pytest
from pandas import DataFrame

from analysis.reports.text_table import TextTable, csv_text, latex, latex_text, markdown, plain
from tests.analysis_tests.reports.latex_reader import read_tabulars

NASTY = ("a|b", "a\\|b", "<img src=x>", "line\nbreak", "\x1b[31mred", '50 % & more_#{x}~^\\ "$', "[3] first", "&lt;")


def nasty() -> TextTable:
    return TextTable.of(
        "Labels | <b>", ["row", "a long heading of many words (ms)"], [(text, "-1.5") for text in NASTY]
    )


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_csv_holds_numbers_and_nothing_where_one_is_unknown() -> None:
    frame = DataFrame({"name": ["x", None], "n": [5_062_646, None], "ms": [1.23456789, float("nan")]}, dtype=object)
    assert read(csv_text(frame)) == [["name", "n", "ms"], ["x", "5062646", "1.23456789"], ["", "", ""]]


def test_csv_rounds_to_digits_but_keeps_every_digit_of_a_whole_number() -> None:
    frame = DataFrame({"a": [1.23456789, 1_234_567_891.0], "b": [-2, 1e-9]})
    assert read(csv_text(frame, digits=6))[1:] == [["1.23457", "-2"], ["1234567891", "1e-09"]]


def test_an_infinite_number_is_no_number() -> None:
    assert read(csv_text(DataFrame({"a": [float("inf")], "b": ["x"]})))[1] == ["", "x"]


def test_a_label_stays_on_its_line_in_csv() -> None:
    assert csv_text(DataFrame({"a": ["x\r\n=1", "\t=1"]})) == "a\nx =1\n' =1\n"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", " =1"])
def test_a_label_that_a_spreadsheet_would_run_is_harmless_in_csv(text: str) -> None:
    rows = read(csv_text(DataFrame({text: [text], "number": [-1.5]})))
    assert rows[0][0] == rows[1][0] == f"'{text}"
    assert rows[1][1] == "-1.5"


def test_markdown_has_one_line_per_row_and_one_cell_per_column() -> None:
    lines = markdown(nasty()).splitlines()
    assert len(lines) == 2 + len(NASTY)
    # As GitHub reads a line: a backslash and the character after it are one, and any other bar ends a cell.
    assert {len(re.findall(r"(?:\\.|[^|\\])+", line.strip("|"))) for line in lines} == {2}


def test_markdown_shows_html_as_text_and_leaves_comparisons_alone() -> None:
    text = markdown(TextTable.of("", ["row", "p"], [("<script>", "< 0.001"), ("</b>", "a & b"), ("&lt;", "1")]))
    assert text.splitlines()[2:] == ["| &lt;script> | < 0.001 |", "| &lt;/b> | a & b |", "| &amp;lt; | 1 |"]


def test_control_characters_reach_no_form() -> None:
    table = nasty()
    for text in (markdown(table), latex(table, caption="c", label="l"), *(row[0] for row in table.rows)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_columns_of_words_are_flush_left() -> None:
    table = TextTable.of("", ["design", "ms", "axis"], [("a", "1", "x")], left=["axis"])
    assert markdown(table).splitlines()[1] == "| --- | ---: | --- |"
    assert r"\begin{tabular}{lrl}" in latex(table, caption="", label="")


def test_latex_takes_any_label() -> None:
    text = latex(nasty(), caption="50 % & <b>", label="tab:x")
    assert read_tabulars(text) == [[2] * (1 + len(NASTY))]
    assert text.count(r"\begin{table}") == 1
    assert r"\\ [" not in text.replace("\n", " ")


def test_latex_sets_a_real_minus_before_a_number_and_only_there() -> None:
    assert latex_text("-24.0 [-24.9, -23.1], DeepLab-3, 1e-5, up-to-date") == (
        "$-$24.0 [$-$24.9, $-$23.1], DeepLab-3, 1e-5, up-to-date"
    )


def test_a_long_heading_is_broken_and_its_percent_sign_stays_with_its_number() -> None:
    text = latex(TextTable.of("", ["row", "minus baseline [95 %]"], [("a", "1")]), caption="", label="")
    assert r"\shortstack[r]{minus\\baseline\\[95~\%]}" in text or r"\shortstack[r]{minus\\baseline\\{}[95~\%]}" in text


def test_a_terminal_gets_no_line_that_is_too_long_and_every_cell() -> None:
    header = ["row", *(f"a heading of column {index}" for index in range(9))]
    rows = [[f"a label of several words, number {index}", *(f"{index}.{column}" for column in range(9))]
            for index in range(3)]  # fmt: skip
    text = plain(TextTable.of("A title", header, rows))
    assert max(map(len, text.splitlines())) <= 80
    assert all(cell in text for row in rows for cell in row[1:])
    # The labels stand beside each block of columns.
    assert text.count("number 2") == text.count("row ") > 1


def test_a_table_that_fits_with_shorter_labels_is_set_as_one() -> None:
    table = TextTable.of("t", ["row", "mean", "difference"], [("a label of seven words or so, long", "1.0", "2.0")])
    assert plain(table, width=40).count("row") == 1
    assert plain(table, width=20).count("row") == 2
