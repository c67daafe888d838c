"""CSV for programs, Markdown for people."""

import csv
import io
import json
from collections.abc import Iterable

import pytest

from analysis.records.record import Metric
from analysis.reports.pareto_table import csv_table, format_metric, markdown_table
from analysis.results.pareto import Objective, front
from tests.analysis_tests.examples import LATENCY, MIOU, record
from topformer import codec
from topformer.presets import NANO

GOALS = (Objective(MIOU, "max"), Objective(LATENCY, "min"))


def rows_of(pieces: Iterable[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(pieces))))


def test_csv_has_the_front_first_and_every_ranked_record() -> None:
    found = front([record(0, 40, 6), record(1, 50, 4), record(2, 60, 8), record(3, None)], GOALS)
    rows = rows_of(csv_table(found))
    assert [(row["trial"], row["pareto_rank"]) for row in rows] == [("2", "0"), ("1", "0"), ("0", "1")]


def test_csv_in_pieces_has_one_header_and_every_record_once() -> None:
    records = [record(trial, trial % 97, 1 + trial % 89, labels={f"axis{trial % 3}": "x"}) for trial in range(4500)]
    pieces = list(csv_table(front(records, GOALS, draws=1)))
    assert len(pieces) == 3
    rows = rows_of(pieces)
    assert sorted(int(row["trial"]) for row in rows) == list(range(4500))
    assert {row["axis:axis1"] for row in rows} == {"", "x"}


def test_csv_gives_the_design_back() -> None:
    rows = rows_of(csv_table(front([record()], GOALS)))
    assert codec.from_json(json.loads(rows[0]["design"])) == NANO
    assert rows[0]["fingerprint"] == "000000000000@128x128"
    assert rows[0]["axis:width"] == "128"


def test_csv_numbers_have_six_digits_and_counts_all() -> None:
    metrics = {
        MIOU: Metric(value=53.123456789, source="trained"),
        LATENCY: Metric(value=4.0, source="predicted"),
        "macs": Metric(value=1_234_567_891, source="exact"),
    }
    row = rows_of(csv_table(front([record(metrics=metrics)], GOALS)))[0]
    assert (row[MIOU], row[LATENCY], row["macs"], row[f"{LATENCY}:low"]) == ("53.1235", "4", "1234567891", "")


def test_markdown_shows_the_front_only() -> None:
    found = front([record(0, 50, 4), record(1, 40, 6)], GOALS)
    assert markdown_table(found, {"000000000000@128x128": "nano"}).splitlines() == [
        "| design | miou@tokenworld-128 (%) | latency_ms@snapdragon-865 (ms) | P(on front) | width |",
        "| --- | ---: | ---: | ---: | --- |",
        "| `000000000000@128x128` (nano) | 50.00 | 4.00 | 1.00 | 128 |",
    ]


def test_markdown_adds_costs_in_one_unit() -> None:
    costs = {"macs": Metric(value=43_200_000, source="exact"), "parameters": Metric(value=681_234, source="exact")}
    text = markdown_table(front([record(metrics={**record().metrics, **costs})], GOALS))
    assert "| parameters (M) | macs (GMACs) |" in text
    assert "| 0.681 | 0.043 |" in text


def test_a_bar_in_a_label_does_not_break_the_table() -> None:
    text = markdown_table(front([record(labels={"scales": "8|16"})], GOALS))
    assert "8\\|16" in text


@pytest.mark.parametrize(
    ("metric", "goal", "shown"),
    [
        (Metric(value=43.1, source="predicted", low=38.2, high=48.6), GOALS[1], "43.10 [38.20, 48.60]"),
        (Metric(value=53.04, source="trained"), GOALS[0], "53.04"),
        (Metric(value=1234.5678, source="proxy"), Objective("zico", "max"), "1235"),
        (Metric(value=1_800_000_000, source="exact"), Objective("macs", "min"), "1.800"),
    ],
)
def test_a_number_is_shown_with_its_interval(metric: Metric, goal: Objective, shown: str) -> None:
    assert format_metric(metric, goal) == shown
