"""Axes of the token pyramid: the stem, and the rows, channels, kernels and expansions of each stage."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial

from search_space.axes.axis import Axis, Invalidates, edit, labelled
from search_space.candidate import Candidate
from topformer.design import SCALES, Bottleneck, Design

LEAD = 0
"""The rows before the first row of stride 2: `mb1` of the published search; NANO has none."""
STAGES = tuple(range(1, len(SCALES) + 1))
"""The stages of the pyramid; stage i ends at the token map of scale 1/4, 1/8, 1/16 or 1/32."""

Pattern = tuple[int, ...]
"""One value per row of a stage; further rows take the last one. `(4, 3)` is 4 in the first row, then 3."""


def span(design: Design, stage: int) -> tuple[int, int]:
    """First row of a stage, the one of stride 2, and the row after its last; for the lead, the rows before stage 1."""
    after = design.taps[stage - 2] + 1 if stage > 1 else 0
    start = next(row for row in range(after, len(design.rows)) if design.rows[row].stride == 2)
    return (0, start) if stage == LEAD else (start, design.taps[stage - 1] + 1)


def rows_of(design: Design, stage: int) -> tuple[Bottleneck, ...]:
    """The rows of a stage."""
    start, stop = span(design, stage)
    return design.rows[start:stop]


def shortest(values: Iterable[int]) -> Pattern:
    """The shortest pattern that gives these values, one per row or block."""
    pattern = list(values)
    while len(pattern) > 1 and pattern[-1] == pattern[-2]:
        pattern.pop()
    return tuple(pattern)


def at(pattern: Pattern, index: int) -> int:
    """The value that a pattern gives the row or block of that index."""
    return pattern[min(index, len(pattern) - 1)]


def patterned(uniform: Iterable[int], patterns: Iterable[Pattern]) -> dict[str, Pattern]:
    """Choices with one value for all rows, and some given patterns, labelled `4` and `4-3`."""
    distinct = {(value,) for value in uniform} | set(patterns)
    return labelled(distinct, lambda pattern: "-".join(map(str, pattern)))


def stem_axis(channels: Iterable[int]) -> Axis:
    """Channels of the first convolution."""
    return Axis(name="stem", choices=labelled(channels), apply=_with_stem, invalidates=Invalidates.FULL)


def _with_stem(candidate: Candidate, channels: int) -> Candidate:
    return edit(candidate, stem=replace(candidate.design.stem, channels=channels))


def row_count_axis(stage: int, counts: Iterable[int]) -> Axis:
    """Number of rows of a stage; a longer stage repeats its last row with stride 1."""
    return Axis(
        name=f"{stage_name(stage)}_rows",
        choices=labelled(counts),
        apply=partial(_with_row_count, stage),
        invalidates=Invalidates.FULL,
        applies=lambda candidate: bool(rows_of(candidate.design, stage)),
        reads=_row_count(stage),
    )


@cache
def _row_count(stage: int) -> Callable[[Candidate], int]:
    """What the axes of a stage read, its number of rows: one function for all, so that a diagram asks it once."""
    return lambda candidate: len(rows_of(candidate.design, stage))


def stage_name(stage: int) -> str:
    """The first word of the names of a stage's axes: `lead`, `stage1`, ..."""
    return "lead" if stage == LEAD else f"stage{stage}"


def _with_row_count(stage: int, candidate: Candidate, count: int) -> Candidate:
    design = candidate.design
    start, stop = span(design, stage)
    body = design.rows[start:stop]
    more = count - len(body)
    if more == 0:
        return candidate
    # Only the first row of a stage halves the grid, so rows that are added have stride 1.
    longer = body[:count] + (replace(body[-1], stride=1),) * more
    return edit(
        candidate,
        rows=design.rows[:start] + longer + design.rows[stop:],
        taps=tuple(tap + more if tap >= stop - 1 else tap for tap in design.taps),
    )


def row_axis(stage: int, field: str, choices: dict[str, Pattern]) -> Axis:
    """A field of the rows of a stage: `channels`, `kernel` or `expand`."""
    return Axis(
        name=f"{stage_name(stage)}_{field}",
        choices=choices,
        apply=partial(_with_field, stage, field),
        invalidates=Invalidates.FULL,
        applies=lambda candidate: bool(rows_of(candidate.design, stage)),
        reads=_row_count(stage),
    )


def _with_field(stage: int, field: str, candidate: Candidate, pattern: Pattern) -> Candidate:
    start, stop = span(candidate.design, stage)
    rows = candidate.design.rows
    body = tuple(replace(row, **{field: at(pattern, index)}) for index, row in enumerate(rows[start:stop]))
    return edit(candidate, rows=rows[:start] + body + rows[stop:])
