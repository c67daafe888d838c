"""The axes of the named spaces: labels say what the design then is, and a longer stage is what it should be."""

from collections.abc import Callable, Hashable

import pytest

from search_space.axes.axis import Axis, Invalidates
from search_space.axes.pyramid import LEAD, STAGES, rows_of, shortest, stage_name
from search_space.candidate import Candidate
from search_space.spaces.space import Space, space, spaces
from tests.search_space_tests.choosers import SeededChooser
from topformer.design import Bottleneck, Design
from topformer.errors import SpaceError
from topformer.presets import BASE, NANO, TINY

WALKS = 60
SPACES = {name: space(name) for name in spaces()}
MET = {name: [s.suggest(chooser) for chooser in [SeededChooser(5)] for _ in range(WALKS)] for name, s in SPACES.items()}


def _pattern(values: list[int]) -> str:
    return "-".join(map(str, shortest(values)))


def _readers(design: Design) -> dict[str, Callable[[Candidate], str]]:
    """How to read off a candidate, without the axis, the label that it must have."""
    readers: dict[str, Callable[[Candidate], str]] = {
        "input": lambda c: f"{c.height}x{c.width}",
        "pool_stride": lambda c: f"s{c.design.pool_stride}",
        "injected": lambda c: "+".join(map(str, c.design.injected)),
        "stem": lambda c: str(c.design.stem.channels),
        "depth": lambda c: str(c.design.depth),
        "heads": lambda c: _pattern([block.heads for block in c.design.blocks]),
    }
    for name in ("pooled", "extractor", "extra_ffns", "injection", "width", "head"):
        readers[name] = lambda c, name=name: str(getattr(c.design, name))  # type: ignore[misc]
    for stage in (LEAD, *STAGES):
        readers[f"{stage_name(stage)}_rows"] = lambda c, s=stage: str(len(rows_of(c.design, s)))  # type: ignore[misc]
        for field in ("channels", "kernel", "expand"):
            readers[f"{stage_name(stage)}_{field}"] = lambda c, s=stage, f=field: _pattern(  # type: ignore[misc]
                [getattr(row, f) for row in rows_of(c.design, s)]
            )
    for number in range(1, 9):
        for field in ("heads", "key_dim", "attention_ratio", "ffn_ratio"):
            readers[f"block{number}_{field}"] = lambda c, n=number, f=field: str(  # type: ignore[misc]
                getattr(c.design.blocks[n - 1], f)
            )
    return readers


READERS = _readers(TINY)
LABELLED = [
    pytest.param(s, axis, id=f"{s.name}:{axis.name}")
    for s in SPACES.values()
    for axis in s.axes
    if axis.name in READERS
]


def _where_it_applies(s: Space, axis: Axis) -> Candidate:
    return next(candidate for candidate in MET[s.name] if axis.applies(candidate))


@pytest.mark.parametrize(("s", "axis"), LABELLED)
def test_each_label_is_what_the_design_then_says(s: Space, axis: Axis) -> None:
    before = _where_it_applies(s, axis)
    for label, value in axis.choices.items():
        after = axis.apply(before, value)
        text = READERS[axis.name](after)
        # A pattern ends where the stage ends: `5-5-3` of a stage of two rows is `5`.
        assert text == (label if isinstance(value, str) else _pattern_in_stage(label, axis.reads(before)))


def _pattern_in_stage(label: str, rows: Hashable) -> str:
    parts = label.split("-")
    return label if len(parts) == 1 or not isinstance(rows, int) else _pattern([int(part) for part in parts[:rows]])


def test_what_each_kind_of_axis_costs_in_pretraining() -> None:
    kinds = {axis.name: axis.invalidates for axis in SPACES["full"].axes}
    free = {"width", "injection", "injected", "head", "pool_stride", "input"}
    assert {kinds[name] for name in free} == {Invalidates.FREE}
    for name, kind in kinds.items():
        if name.startswith(("stem", "lead", "stage")):
            assert kind is Invalidates.FULL, name
        if name.startswith("block") or name in ("depth", "extractor", "extra_ffns", "pooled"):
            assert kind is Invalidates.PARTIAL, name


def test_a_longer_stage_repeats_its_last_row_with_stride_1_and_moves_the_taps() -> None:
    axis = SPACES["published-search"].axis("stage1_rows")
    deeper = axis.apply(Candidate(design=TINY, height=512, width=512), 3).canonical().design
    assert deeper.rows[:3] == TINY.rows[:3]
    assert deeper.rows[3] == Bottleneck(kernel=3, expand=3, channels=16, stride=1)
    assert deeper.rows[4:] == TINY.rows[3:]
    assert deeper.taps == (3, 5, 7, 9)


def test_the_only_row_of_a_stage_is_repeated_without_its_stride() -> None:
    axis = space("published-search", base=NANO, height=128, width=128).axis("stage4_rows")
    deeper = axis.apply(Candidate(design=NANO, height=128, width=128), 2).canonical().design
    assert [row.stride for row in deeper.rows] == [2, 2, 2, 2, 1]
    assert deeper.taps == (0, 1, 2, 4)


def test_a_shorter_lead_moves_every_tap() -> None:
    twice = SPACES["full"].axis("lead_rows").apply(Candidate(design=BASE, height=512, width=512), 2)
    assert twice.canonical().design.taps == (3, 5, 7, 10)
    once = SPACES["full"].axis("lead_rows").apply(twice, 1)
    assert once.canonical().design == BASE


def test_choices_cannot_be_changed_from_outside() -> None:
    given = {"64": 64}
    axis = Axis(name="width", choices=given, apply=lambda c, _: c, invalidates=Invalidates.FREE)
    given["128"] = 128
    assert axis.labels == ("64",)
    with pytest.raises(TypeError):
        axis.choices["256"] = 256  # type: ignore[index]


def test_an_axis_without_choices_is_refused() -> None:
    with pytest.raises(SpaceError, match="axis 'width' must have at least one choice"):
        Axis(name="width", choices={}, apply=lambda c, _: c, invalidates=Invalidates.FREE)
