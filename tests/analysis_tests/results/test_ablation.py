import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import Metric
from analysis.reports.ablation_page import FORMS, page, write_ablations
from analysis.reports.ablation_table import csv_table, grids, latex, markdown, remarks, verdicts
from analysis.results.ablation import Ablation, Claim, Evaluation, Measured, Published, Row, judged, said_by_paper
from analysis.results.effects import Agreement, Direction
from topformer.errors import StorageError


def exact(value: float) -> Metric:
    return Metric(value=value, source="exact")


def printed(value: float | None, source: str = "T") -> Published:
    return Published(value=value, source=source)


def measured(**scores: list[float]) -> dict[str, Measured]:
    return {
        name: Measured(fingerprint=f"{name}@128x128", scores=dict(enumerate(values))) for name, values in scores.items()
    }


def table(**changes: Any) -> Ablation:
    """Two rows and a baseline, of which one is unknown in the paper and all were measured."""
    said = {"a|b": Direction.WORSE, "c_50%": None, "ours": None}
    scores = {"ours": [50.0, 52.0, 51.0], "a|b": [40.0, 42.5, 41.0], "c_50%": [50.5, 52.0, 51.2]}
    found = judged(measured(**scores), said, baseline="ours", similar_within=1.0)
    rows = (
        Row(
            label="ours",
            fingerprint="f@512x512",
            costs={"parameters": exact(5_062_646), "macs_paper": exact(1.813e9)},
            published={"parameters": printed(5.063), "miou": printed(37.8)},
            measured=found.rows["ours"],
        ),
        Row(
            label="a|b",
            fingerprint="g@512x512",
            costs={"parameters": exact(4_970_998), "macs_paper": exact(1.808e9)},
            published={"parameters": printed(4.978), "miou": printed(None)},
            claim=Claim(direction=Direction.WORSE, source="text"),
            why={"parameters": "it does not follow"},
            measured=found.rows["a|b"],
        ),
        Row(label="c_50%", costs={"parameters": exact(1)}, measured=found.rows["c_50%"]),
        Row(label="peer", published={"parameters": printed(9.8), "miou": printed(19.7)}),
    )
    evaluation = Evaluation(
        metric="miou@world",
        base="nano",
        size="128x128",
        budget=800,
        seeds=(0, 1, 2),
        common=found.common,
        residual_sd=found.residual_sd,
        residual_degrees=found.residual_degrees,
    )
    made = Ablation(
        id="table-6", title="Heads & widths", source="T", base="base at 512 x 512", baseline="ours", rows=rows,
        columns=("parameters", "macs_paper"), evaluation=evaluation,
    )  # fmt: skip
    return replace(made, **changes)


def test_a_printed_number_is_compared_at_its_own_precision() -> None:
    row = Row(label="r", costs={"parameters": exact(3_034_662)}, published={"parameters": printed(3.1)})
    assert row.differs("parameters")
    assert not replace(row, published={"parameters": printed(3.0)}).differs("parameters")
    assert not replace(row, published={"parameters": printed(None)}).differs("parameters")


def test_a_prediction_differs_where_the_printed_number_is_outside_its_interval() -> None:
    row = Row(
        label="r",
        costs={"latency_ms": Metric(value=45.0, source="predicted", low=41.0, high=49.0)},
        published={"latency_ms": printed(43.0)},
    )
    assert not row.differs("latency_ms")
    assert replace(row, published={"latency_ms": printed(60.0)}).differs("latency_ms")


def test_an_unknown_number_is_shown_as_unknown_and_its_claim_beside_it() -> None:
    (costs, _accuracy) = grids(table())
    column = costs.header.index("mIoU (%), printed")
    assert [row[column] for row in costs.rows] == ["37.8", "unknown (worse)", "", "19.7"]


def test_measured_accuracy_never_stands_in_a_column_of_printed_accuracy() -> None:
    costs, accuracy = grids(table())
    assert not set(costs.header) & set(accuracy.header) - {"row"}
    assert [row[0] for row in accuracy.rows] == ["ours (baseline)", "a|b", "c_50%"]
    assert "37.8" not in accuracy.rows[0][1]


def test_a_differing_figure_has_a_numbered_reason() -> None:
    costs, _ = grids(table())
    assert costs.rows[1][costs.header.index("params (M), printed")] == "4.978 [1]"
    assert remarks(table())[0] == "[1] a|b, params (M): it does not follow"


def test_directions_come_from_numbers_or_else_from_words() -> None:
    rows = [
        Row(label="base", published={"miou": printed(37.8)}),
        Row(label="lower", published={"miou": printed(37.0)}),
        Row(label="words", published={"miou": printed(None)}, claim=Claim(direction=Direction.SIMILAR, source="text")),
        Row(label="nothing", published={"miou": printed(None)}),
    ]
    assert said_by_paper(rows, "base") == {
        "base": None, "lower": Direction.WORSE, "words": Direction.SIMILAR, "nothing": None,
    }  # fmt: skip


def test_the_verdicts_of_a_table() -> None:
    rows = {row.label: row.measured for row in table().rows if row.measured is not None}
    assert rows["a|b"].agreement is Agreement.AGREES
    assert rows["c_50%"].agreement is Agreement.UNKNOWN
    assert rows["ours"].agreement is None
    assert verdicts(table()) == "1 agrees, 1 paper unknown"


def test_only_seeds_that_every_row_has_are_paired() -> None:
    rows = measured(a=[1.0, 2.0, 3.0], b=[2.0, 3.5, 9.0])
    rows["b"] = replace(rows["b"], scores={0: 2.0, 2: 9.0}, failed={1: "the loss is not finite"})
    found = judged(rows, {}, baseline="a", similar_within=1.0)
    assert found.common == (0, 2)
    difference = found.rows["b"].difference
    assert difference is not None
    assert difference.n == 2
    assert difference.mean == pytest.approx((1.0 + 6.0) / 2)


def test_a_row_without_runs_takes_nothing_from_the_others() -> None:
    rows = {**measured(a=[1.0, 2.0], b=[2.0, 3.1]), "later": Measured(fingerprint="later@128x128", scores={})}
    found = judged(rows, {}, baseline="a", similar_within=1.0)
    assert found.common == (0, 1)
    assert found.rows["later"].summary is None


def test_a_row_that_is_the_baseline_network_has_no_difference() -> None:
    rows = measured(a=[1.0, 2.0], b=[2.0, 3.1])
    rows["twin"] = Measured(fingerprint="a@128x128", scores={0: 1.0, 1: 2.0}, same_as="a")
    found = judged(rows, {}, baseline="a", similar_within=1.0)
    assert found.rows["twin"].difference is None
    assert found.rows["b"].difference is not None
    assert found.residual_degrees == 1


def test_markdown_keeps_its_columns_with_a_bar_in_a_label() -> None:
    lines = [line for line in markdown(table()).splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(widths) == 2


def test_latex_is_escaped_and_balanced() -> None:
    text = latex(table())
    assert r"c\_50\%" in text
    assert r"Heads \& widths" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 3
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 2


def test_csv_holds_every_seed_unrounded() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(table()))))
    assert [rows[1][f"seed:{seed}"] for seed in (0, 1, 2)] == ["40.0", "42.5", "41.0"]
    assert rows[1]["parameters"] == "4970998"
    assert rows[1]["printed:miou"] == "unknown"
    assert rows[3]["measured:mean"] == ""


def test_json_is_strict_and_holds_every_seed() -> None:
    value = json.loads(json.dumps(table().to_json(), allow_nan=False))
    assert value["rows"][1]["measured"]["scores"] == {"0": 40.0, "1": 42.5, "2": 41.0}


def test_every_form_is_written_and_the_page_needs_no_other_file(tmp_path: Path) -> None:
    files = write_ablations([table(), table(id="mine", source="", evaluation=None)], tmp_path)
    assert {path.name for path in files.tables.iterdir()} == {f"{n}.{f}" for n in ("table-6", "mine") for f in FORMS}
    text = files.page.read_text()
    assert text.count("data:image/svg+xml;base64,") == 2
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert all((tmp_path / link).exists() for link in re.findall(r'href="(tables/[^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) == {"table-6", "mine"}


def test_labels_are_text_in_the_page() -> None:
    rows = (Row(label="<script>", costs={"parameters": exact(1)}),)
    text = page([table(rows=rows, baseline="", evaluation=None)], {"table-6": b"<svg/>"})
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


@pytest.mark.parametrize("figure", ["rows", "latency", "shares"])
def test_equal_tables_give_equal_figures(tmp_path: Path, figure: str) -> None:
    first, second = (write_ablations([table(figure=figure)], tmp_path / name) for name in "ab")
    assert (first.tables / "table-6.svg").read_bytes() == (second.tables / "table-6.svg").read_bytes()


def test_a_figure_names_the_two_axes_of_accuracy_apart(tmp_path: Path) -> None:
    svg = (write_ablations([table()], tmp_path).tables / "table-6.svg").read_text()
    assert "miou@world (%), measured on nano" in svg
    assert "mIoU (%), printed" in svg


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        write_ablations([table()], tmp_path)


def test_tables_are_rendered_without_torch() -> None:
    program = "import sys, analysis.reports.ablation_page, analysis.plots.ablation; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
