"""What an ablation table says, as cells, Markdown, LaTeX and CSV."""

import csv
import io
import re

from analysis.reports.ablation_table import csv_table, latex, markdown, remarks, text_tables
from analysis.results.ablation import AblationRow
from analysis.results.effects import Direction
from analysis.results.table_statistics import table_statistics
from tests.analysis_tests.ablation_examples import ablation, measured
from tests.analysis_tests.reports.latex_reader import read_tabulars


def test_an_unknown_number_is_shown_as_unknown_and_its_claim_beside_it() -> None:
    printed = text_tables(ablation())[1]
    assert printed.header == ("row", "mIoU (%), printed")
    assert [row[1] for row in printed.rows] == ["37.8", "unknown (worse)", "", "19.7"]


def test_measured_accuracy_never_stands_in_a_column_of_printed_accuracy() -> None:
    *costs, scores, differences = text_tables(ablation())
    headings = {name for table in costs for name in table.header}
    assert not headings & {*scores.header, *differences.header} - {"row"}
    assert [row[0] for row in scores.rows] == ["ours (baseline)", "a|b", "c_50%"]
    assert [row[0] for row in differences.rows] == ["a|b", "c_50%"]
    assert "37.8" not in scores.rows[0][1]


def test_a_table_of_edits_names_the_network_that_is_edited_and_no_other_does() -> None:
    assert text_tables(ablation())[0].title.startswith("Size of base at 512 x 512, edited row by row, ")
    assert text_tables(ablation(baseline=""))[0].title == "Size, ours beside the printed figures"


def test_a_differing_figure_has_a_numbered_reason() -> None:
    costs = text_tables(ablation())[0]
    assert costs.rows[1][costs.header.index("params (M), printed")] == "4.978 [1]"
    assert remarks(ablation())[0] == "[1] a|b, params (M): it does not follow"


def test_a_verdict_that_cannot_be_given_says_what_it_needs() -> None:
    scores = {"ours": [50.0, 52.0, 51.0], "a|b": [49.0, 51.5, 50.5]}
    measured_rows = table_statistics(
        measured(**scores), dict.fromkeys(scores, Direction.WORSE), baseline="ours", similar_within=1.0
    ).rows
    rows = tuple(AblationRow(label=label, measured=row) for label, row in measured_rows.items())
    seeds = measured_rows["a|b"].seeds_for_verdict
    assert text_tables(ablation(rows=rows))[-1].rows[0][-1] == f"cannot tell (about {seeds} seeds)"


def test_markdown_keeps_its_columns_with_a_bar_in_a_label() -> None:
    text = markdown(ablation())
    for part in text.split("\n\n"):
        lines = [line for line in part.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) <= 1
    assert "a\\|b" in text


def test_latex_is_escaped_and_has_one_table_per_float() -> None:
    text = latex(ablation())
    assert text.startswith("% needs \\usepackage{booktabs,graphicx}\n")
    assert r"c\_50\%" in text
    assert r"Heads \& widths" in text
    assert read_tabulars(text) == [[4] * 5, [2] * 5, [5] * 4, [5] * 3]
    assert text.count(r"\begin{table}") == text.count(r"\begin{tabular}") == 4


def test_csv_holds_every_seed_unrounded_and_nothing_where_a_number_is_unknown() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(ablation()))))
    assert [rows[1][f"seed:{seed}"] for seed in (0, 1, 2)] == ["40", "42.5", "41"]
    assert rows[1]["parameters"] == "4970998"
    assert rows[1]["printed:miou"] == ""
    assert rows[3]["measured:mean"] == ""
