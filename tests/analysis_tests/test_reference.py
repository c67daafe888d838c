"""Published numbers, and where they may be shown."""

import pytest

from analysis.reference import ADE20K, RELEASE, SEARCHED, SNAPDRAGON_865, paper_table, published_points, table_names
from topformer.errors import InputError


def test_topformer_of_table_1() -> None:
    points = {point.name: point for point in published_points(ADE20K, SNAPDRAGON_865) if point.family == "TopFormer"}
    found = {name: (point.miou, point.latency_ms, point.gflops) for name, point in points.items()}
    assert found == {
        "TopFormer-T @448": (32.5, 32, 0.5),
        "TopFormer-T": (32.8, 43, 0.6),
        "TopFormer-S": (36.1, 74, 1.2),
        "TopFormer-B": (37.8, 110, 1.8),
    }


def test_searched_points_are_marked_as_what_they_are() -> None:
    points = [p for p in published_points(ADE20K, SNAPDRAGON_865) if p.family == "searched TopFormer"]
    assert {(p.miou, p.latency_ms) for p in points} == {(40.5, 115), (38.9, 76), (36.4, 45), (35.2, 33)}
    assert {p.source for p in points} == {SEARCHED}
    assert "not peer reviewed" in SEARCHED


def test_networks_without_a_published_latency_stay_out_of_a_latency_plot() -> None:
    with_latency = {point.name for point in published_points(ADE20K, SNAPDRAGON_865)}
    without = {point.name: point.latency_ms for point in published_points(ADE20K)}
    assert "HR-NAS-A searched" not in with_latency
    assert without["HR-NAS-A searched"] is None


def test_the_release_is_never_mixed_into_table_1() -> None:
    assert all(point.source != RELEASE for point in published_points(ADE20K, SNAPDRAGON_865))
    released = {(p.name, p.batch): p.miou for p in published_points(ADE20K) if p.source == RELEASE}
    assert released[("TopFormer-B", 32)] == 39.2
    assert len(released) == 8


@pytest.mark.parametrize(
    ("metric", "latency"),
    [
        ("miou@tokenworld-128", SNAPDRAGON_865),
        (ADE20K, "latency_ms@raspberry-pi-5"),
        (ADE20K, "macs"),
        ("miou@ade20k-supernet", SNAPDRAGON_865),
        ("miou@tokenworld-128", None),
    ],
)
def test_other_units_have_no_published_points(metric: str, latency: str | None) -> None:
    assert published_points(metric, latency) == ()


def test_an_empty_cell_stays_unknown() -> None:
    assert [row["miou"] for row in paper_table("table_08_output_stride")] == [None, None, None]


def test_table_6_is_complete() -> None:
    rows = {row["setting"]: (row["params_m"], row["miou"]) for row in paper_table("table_06_head")}
    assert rows == {"Concat Head": (5.044, 37.1), "Sum Head": (4.978, 37.0), "Ours": (5.063, 37.8)}


@pytest.mark.parametrize("name", table_names())
def test_every_table_can_be_read_and_has_one_length(name: str) -> None:
    rows = paper_table(name)
    assert rows
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert None not in rows[0]


def test_the_eleven_tables_of_the_paper_are_there() -> None:
    numbered = [name for name in table_names() if name.startswith("table_")]
    assert [int(name.split("_")[1]) for name in numbered] == list(range(1, 12))


def test_an_unknown_table_is_an_input_error() -> None:
    with pytest.raises(InputError, match="unknown published table 'table_1'; did you mean"):
        paper_table("table_1")
