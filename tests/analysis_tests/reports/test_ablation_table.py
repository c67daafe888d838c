"""What an ablation table says, as cells, Markdown, LaTeX and CSV."""

import csv
import io
import re

from analysis.reports.ablation_table import csv_table, latex, markdown, remarks, text_tables
from tests.analysis_tests.ablation_examples import ablation
from tests.analysis_tests.reports.latex_reader import read_tabulars


def test_an_unknown_number_is_shown_as_unknown_and_its_claim_beside_it() -> None:
    (costs, _accuracy) = text_tables(ablation())
    column = costs.header.index("mIoU (%), printed")
    assert [row[column] for row in costs.rows] == ["37.8", "unknown (worse)", "", "19.7"]


def test_measured_accuracy_never_stands_in_a_column_of_printed_accuracy() -> None:
    costs, accuracy = text_tables(ablation())
    assert not set(costs.header) & set(accuracy.header) - {"row"}
    assert [row[0] for row in accuracy.rows] == ["ours (baseline)", "a|b", "c_50%"]
    assert "37.8" not in accuracy.rows[0][1]


def test_a_differing_figure_has_a_numbered_reason() -> None:
    costs, _ = text_tables(ablation())
    assert costs.rows[1][costs.header.index("params (M), printed")] == "4.978 [1]"
    assert remarks(ablation())[0] == "[1] a|b, params (M): it does not follow"


def test_markdown_keeps_its_columns_with_a_bar_in_a_label() -> None:
    lines = [line for line in markdown(ablation()).splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(widths) == 2


def test_latex_is_escaped_and_has_one_table_per_float() -> None:
    text = latex(ablation())
    assert text.startswith("% needs \\usepackage{booktabs,graphicx}\n")
    assert r"c\_50\%" in text
    assert r"Heads \& widths" in text
    assert read_tabulars(text) == [[5] * 5, [9] * 4]
    assert text.count(r"\begin{table}") == text.count(r"\begin{tabular}") == 2


def test_csv_holds_every_seed_unrounded_and_nothing_where_a_number_is_unknown() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(ablation()))))
    assert [rows[1][f"seed:{seed}"] for seed in (0, 1, 2)] == ["40", "42.5", "41"]
    assert rows[1]["parameters"] == "4970998"
    assert rows[1]["printed:miou"] == ""
    assert rows[3]["measured:mean"] == ""
