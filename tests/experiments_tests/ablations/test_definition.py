"""The tables that come with the project: their rows are what the paper describes, and all of it is accounted for."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.reference import paper_table
from analysis.results.ablation import Ablation
from experiments.ablations.counted import CountedRows
from experiments.ablations.definition import TableDefinition, read_table, table, table_names
from experiments.ablations.edits import edited
from experiments.ablations.generate import leave_one_out, one_factor
from experiments.ablations.plan import Base, trained
from experiments.ablations.results import results
from experiments.ablations.sections import CountedSection
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.latency.calibration.left_out import left_out
from search_space.spaces.space import space
from topformer.design import Head
from topformer.errors import StudyError
from topformer.presets import BASE, NANO, TINY
from topformer.schema import read

SHARED = Base(name="nano", candidate=Candidate(design=NANO, height=128, width=128))

# Millions of parameters and 1e9 MACs by the paper's count, recomputed for the paper's rows by building the networks.
# fmt: off
COSTS = {
    ("table-1", "TopFormer-T, 448 x 448"): (1.406, 0.492),
    ("table-1", "TopFormer-T"): (1.406, 0.643),
    ("table-1", "TopFormer-S"): (3.035, 1.165),
    ("table-1", "TopFormer-B"): (5.063, 1.813),
    ("table-2", "stacked tokens of all scales"): (5.063, 1.813),
    ("table-3", "1/4 1/8 1/16 1/32"): (5.089, 3.246),
    ("table-3", "1/8 1/16 1/32"): (5.063, 1.813),
    ("table-3", "1/16 1/32"): (5.012, 1.420),
    ("table-4", "+ SASE"): (1.406, 0.643),
    ("table-5", "SemInfo"): (4.971, None),
    ("table-5", "SigmoidAttn + SemInfo"): (5.063, 1.813),
    ("table-6", "Sum Head"): (4.971, None),
    ("table-6", "Ours"): (5.063, 1.813),
    ("table-7", "256"): (5.063, 1.813),
    ("table-7", "192"): (4.956, 1.625),
    ("table-7", "128"): (4.857, 1.469),
    ("table-8", "s32"): (5.063, 2.538),
    ("table-8", "s64"): (5.063, 1.813),
    ("table-8", "s128"): (5.063, 1.632),
    ("table-9", "TopFormer-T"): (None, 0.532),
    ("table-9", "TopFormer-S"): (None, 0.978),
    ("table-9", "TopFormer-B"): (None, 1.540),
    ("table-10", "TopFormer-S"): (None, 1.181),
    ("table-10", "TopFormer-B"): (None, 1.836),
}
# fmt: on


def made(name: str) -> Ablation:
    return results([table(name)], SHARED)[0]


@pytest.mark.parametrize(("name", "label"), COSTS, ids=str)
def test_rows_cost_what_was_recomputed(name: str, label: str) -> None:
    row = next(row for row in made(name).rows if row.label == label)
    parameters, macs = COSTS[name, label]
    if parameters is not None:
        assert round(row.costs["parameters"].value / 1e6, 3) == parameters
    if macs is not None:
        assert round(row.costs["macs_paper"].value / 1e9, 3) == macs


def test_pascal_context_and_coco_stuff_have_their_classes_and_sizes() -> None:
    for name, classes, side in (("table-9", 60, 480), ("table-10", 171, 512)):
        designs = [row.candidate for row in table(name).rows if row.candidate is not None]
        assert {(one.design.num_classes, one.height, one.width) for one in designs} == {(classes, side, side)}
        assert len(designs) == 3


def test_table_2_pools_the_last_token_map_at_the_same_width() -> None:
    stacked, last = (row.candidate for row in table("table-2").rows)
    assert stacked is not None
    assert last is not None
    # A 1x1 convolution from 160 to 384 channels with its batch normalisation: 160 * 384 + 2 * 384 = 62,208.
    assert cost(last).parameters - cost(stacked).parameters == 62_208
    assert last.design.embedding == stacked.design.embedding == 384


def test_table_4_without_sase_is_what_was_recomputed_on_the_released_tiny() -> None:
    row = next(row for row in table("table-4").rows if row.label == "no SASE")
    found = cost(edited(Candidate(design=TINY, height=512, width=512), row.edits))
    assert (round(found.parameters / 1e6, 3), round(found.macs_paper_convention / 1e9, 3)) == (0.353, 0.510)


def test_table_4_varies_the_extractor_alone() -> None:
    rows = table("table-4").rows
    kinds = [row.candidate.design.extractor.value for row in rows if row.candidate is not None]
    assert kinds == ["none", "ffn", "transformer", "ppm", "aspp"]
    pyramids = {(row.candidate.design.rows, row.candidate.design.width) for row in rows if row.candidate is not None}
    assert len(pyramids) == 1


def test_table_5_drops_one_branch_each() -> None:
    gate, info, both = (row.candidate for row in table("table-5").rows)
    assert gate is not None
    assert info is not None
    assert both is not None
    # One branch is three 1x1 convolutions to 256 channels with batch normalisation: (64 + 128 + 160) * 256 + 3 * 512.
    assert cost(both).parameters - cost(gate).parameters == 352 * 256 + 3 * 512
    assert cost(both).parameters - cost(info).parameters == 352 * 256 + 3 * 512


def test_table_6_reduces_each_scale_before_its_concat_head_joins_them() -> None:
    concat, _, ours = (row.candidate for row in table("table-6").rows)
    assert concat is not None
    assert ours is not None
    assert concat.design == replace(ours.design, head=Head.CONCAT)
    assert 5.044 <= cost(concat).parameters / 1e6 <= 5.046


def test_table_4_compares_costs_as_the_text_does() -> None:
    """PSP and ASPP compute more than SASE; what stands in for attention costs about as much as attention."""
    costs = {row.label: cost(row.candidate) for row in table("table-4").rows if row.candidate is not None}
    sase = costs["+ SASE"]
    assert costs["+ PSP (PPM)"].macs > costs["+ ASPP"].macs > sase.macs
    assert costs["+ SASE without MHSA, more FFN"].parameters / sase.parameters == pytest.approx(1, abs=0.03)


def test_figure_3_gives_the_extractor_most_parameters_and_little_latency() -> None:
    row = next(row for row in made("figure-3").rows if row.label == "semantics extractor")
    assert row.costs["parameters_share"].value == pytest.approx(0.74, abs=0.01)
    assert row.costs["macs_share"].value == pytest.approx(0.10, abs=0.02)
    assert row.costs["latency_share"].value == pytest.approx(0.10, abs=0.02)


@pytest.mark.parametrize("name", table_names())
def test_every_published_row_is_in_its_table(name: str) -> None:
    files = {"figure-1": "table_01_ade20k", "figure-3": "figure_03_shares_tiny"}
    numbers = {f"table-{int(file[6:8])}": file for file in PUBLISHED}
    rows = paper_table({**numbers, **files}[name])
    assert sum(bool(row.published) for row in table(name).rows) == len(rows)


PUBLISHED = (
    "table_01_ade20k", "table_02_token_pyramid_input", "table_03_injected_scales", "table_04_semantics_extractor",
    "table_05_injection", "table_06_head", "table_07_width", "table_08_output_stride", "table_09_pascal_context",
    "table_10_coco_stuff", "table_11_coco_detection",
)  # fmt: skip


@pytest.mark.parametrize("name", table_names())
def test_every_figure_that_differs_says_why_and_no_other_does(name: str) -> None:
    for row in made(name).rows:
        assert {column for column in row.costs if row.differs(column)} == set(row.why), row.label


@pytest.mark.parametrize("name", table_names())
def test_the_file_of_a_table_has_its_id_and_the_base_of_its_baseline(name: str) -> None:
    found = table(name)
    assert found.id == name
    baseline = [row for row in found.rows if row.label == found.baseline]
    assert [row.candidate for row in baseline] == [found.candidate.canonical()] * len(baseline)


def test_the_tables_of_the_paper_are_listed_in_its_order() -> None:
    assert table_names() == [*(f"table-{number}" for number in range(1, 12)), "figure-1", "figure-3"]


@pytest.mark.parametrize("number", range(2, 9))
def test_the_rows_of_tables_2_to_8_are_different_networks_on_nano_too(number: int) -> None:
    found = [trained(row, SHARED, 11) for row in table(f"table-{number}").rows]
    assert all(one is not None for one in found)
    assert len({one.fingerprint for one in found if one is not None}) == len(found)


def test_rows_that_name_a_preset_run_on_their_own_base_alone() -> None:
    rows = [row for row in table("table-1").rows if row.candidate is not None]
    assert [trained(row, SHARED, None) for row in rows] == [None] * 4
    own = Base(name="own", candidate=None)
    assert [trained(row, own, None) for row in rows] == [row.candidate for row in rows]


def values(**changes: Any) -> dict[str, Any]:
    """A small table of a user's own."""
    small: dict[str, Any] = {
        "id": "mine",
        "title": "Mine",
        "base": "nano",
        "size": 128,
        "baseline": "full",
        "rows": [{"label": "full"}, {"label": "sum", "edits": {"injection": "sum"}}],
    }
    return {**small, **changes}


def with_row(**row: Any) -> dict[str, Any]:
    return values(rows=[*values()["rows"], {"label": "new", **row}])


# fmt: off
WRONG = [
    (with_row(edits={"injektion": "sum"}), "row 'new': edit injektion = 'sum': unknown axis 'injektion'; did you mean 'injection'"),  # noqa: E501
    (with_row(edits={"injection": "add"}), "unknown label of axis 'injection' 'add'"),
    (with_row(edits={"widht": 64}), "unknown field of a design 'widht'; did you mean 'width'"),
    (with_row(edits={"width": 0}), "edit width = 0: width must be an integer of at least 1"),
    (with_row(edits={"extra_ffns": "2"}), "axis 'extra_ffns' does not apply"),
    (with_row(edits={"injection": "gate+sum"}), "edit injection = 'gate+sum' changes nothing"),
    (with_row(edits={"injection": "sum"}), "rows 'sum' and 'new' are the same network"),
    (with_row(), "rows 'full' and 'new' are the same network"),
    (values(rows=[{"label": "full"}, {"label": "full", "edits": {"width": 64}}]), "different labels, got 'full' twice"),
    (values(baseline="ful"), "unknown baseline 'ful'; did you mean 'full'"),
    (with_row(edits={"width": 64}, paper={"miou": {"value": 37.0}}), "row 'new'.paper.miou.source is missing"),
    (with_row(edits={"width": 64}, paper={"mIoU": {"value": 37.0, "source": "s"}}), "unknown key of row 'new'.paper 'mIoU'"),  # noqa: E501
    (with_row(edits={"width": 64}, claim={"direction": "wors", "source": "s"}), "did you mean 'worse'"),
    (with_row(edits={"width": 64}, match={"setting": "x"}), "match must fit one row of the published table"),
    (values(rows=[]), "at least one row"),
    (values(id="My Table"), "table.id must be a name of lower-case"),
    (values(colums=[]), "unknown key of table 'colums'; did you mean 'columns'"),
    (values(columns=["params"]), "unknown column 'params'"),
    (values(size="128"), "table.size must be an integer"),
]
# fmt: on


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_a_wrong_table_is_one_clear_message(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_table(wrong)
    assert message in str(caught.value)


def test_a_users_own_table_may_edit_fields_and_bring_its_own_printed_numbers() -> None:
    found = read_table(with_row(edits={"width": 72}, paper={"miou": {"value": 37.0, "source": "a blog"}}))
    row = found.rows[-1]
    assert row.candidate is not None
    assert row.candidate.design.width == 72
    assert (row.published["miou"].value, row.published["miou"].source) == (37.0, "a blog")


def test_a_file_that_is_not_toml_is_named(tmp_path: Any) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("id = ")
    with pytest.raises(StudyError, match=r"broken\.toml is not TOML"):
        table(str(path))


def test_an_unknown_table_offers_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'table-3'"):
        table("table3")


def counted(found: TableDefinition) -> set[str]:
    return {row.candidate.fingerprint for row in found.rows if row.candidate is not None}


def test_one_factor_at_a_time_holds_every_neighbour_once() -> None:
    chosen = space("paper", base=NANO, height=128, width=128)
    found = one_factor(chosen, "nano")
    # pooled 1, injected 14, width 8, depth 7, heads 5, pooling stride 2, head 2 other labels; nano is the baseline.
    assert len(found.rows) == len(counted(found)) == 1 + 1 + 14 + 8 + 7 + 5 + 2 + 2
    assert all(row.candidate in chosen for row in found.rows if row.candidate is not None)
    assert all(len(row.edits) == 1 for row in found.rows[1:])


def test_leave_one_out_puts_back_each_choice_alone() -> None:
    chosen = space("paper", base=NANO, height=128, width=128)
    design = replace(NANO, width=64, injected=(8, 16))
    found = leave_one_out(chosen, Candidate(design=design, height=128, width=128), "mine")
    designs = [row.candidate.design for row in found.rows if row.candidate is not None]
    assert [(one.width, one.injected) for one in designs] == [
        (64, (8, 16)), (64, (8, 16, 32)), (128, (8, 16)),
    ]  # fmt: skip


def test_leaving_nothing_out_is_refused() -> None:
    chosen = space("paper", base=NANO, height=128, width=128)
    with pytest.raises(StudyError, match="nothing to compare"):
        leave_one_out(chosen, chosen.base, "nano")
    with pytest.raises(StudyError, match="does not hold the design"):
        leave_one_out(chosen, Candidate(design=BASE, height=128, width=128), "base")


def test_the_peers_of_table_1_stand_with_what_was_counted_and_predicted_without_them() -> None:
    rows = {row.label: row for row in results([table("table-1")], Base(name="nano", candidate=None))[0].rows}
    printed = {label: row for label, row in rows.items() if not row.fingerprint and row.costs}
    assert len(printed) == 13
    told = {one.row.name: one for one in left_out("snapdragon-865")}
    for label, row in printed.items():
        assert row.costs["latency_ms"].value == told[label].milliseconds
        published = row.published["parameters"].value
        assert published is not None
        assert row.costs["parameters"].value / 1e6 == pytest.approx(published, abs=0.08)
    assert not rows["HR-NAS-A searched"].costs


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        ({"rows": {"peer": {"parameters": 1}}}, "counted.source is missing"),
        ({"source": "x", "rows": {"pear": {"parameters": 1}}}, "unknown row of counted 'pear'"),
        ({"source": "x", "rows": {"peer": {"parameter": 1}}}, "did you mean 'parameters'"),
        ({"source": "x", "rows": {"peer": {"parameters": -1}}}, "parameters"),
        ({"source": "x", "why": {"peer": {"parameters": 3}}}, "parameters"),
    ],
)
def test_counted_rows_are_checked(counted: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        CountedRows.of(read(CountedSection, counted, "counted")).check(["peer"])
