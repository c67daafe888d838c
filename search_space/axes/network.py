"""Axes of whole fields of a candidate: its input, pooling, kinds of modules, injected scales and width."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

from search_space.axes.axis import Axis, Invalidates, field_axis, labelled
from search_space.candidate import Candidate
from topformer.codec import canonical
from topformer.design import SCALES, Extractor, Head, Injection, Pooled
from topformer.presets import TINY


def pooled_axis() -> Axis:
    """Which token maps are pooled (paper, Table 2)."""
    return field_axis("pooled", {kind.value: kind for kind in Pooled}, Invalidates.PARTIAL)


def pool_stride_axis(strides: Iterable[int]) -> Axis:
    """Reduction of the pooled grid, labelled `s64` as in the paper's Table 8."""
    return field_axis(
        "pool_stride", labelled(strides, "s{}".format), reads=lambda candidate: (candidate.height, candidate.width)
    )


def injected_axis() -> Axis:
    """Which scales receive semantics: all 15 non-empty subsets; Table 3 compares three of them.

    Labels join the reductions, finest first: `8+16+32`.
    """
    subsets = [subset for size in range(len(SCALES), 0, -1) for subset in combinations(SCALES, size)]
    return field_axis("injected", {"+".join(map(str, subset)): subset for subset in subsets})


def injection_axis() -> Axis:
    """Kind of the semantics injection module (paper, Table 5)."""
    return field_axis("injection", {kind.value: kind for kind in Injection})


def width_axis(widths: Iterable[int]) -> Axis:
    """Channels M of the injected scales (paper, Table 7)."""
    return field_axis("width", labelled(widths))


def head_axis() -> Axis:
    """Kind of the segmentation head (paper, Table 6).

    With a single injected scale `concat` and `sum` are the same network, which then counts once.
    """
    return field_axis(
        "head", {kind.value: kind for kind in Head}, reads=lambda candidate: len(candidate.design.injected) == 1
    )


def input_axis(sizes: Iterable[tuple[int, int]]) -> Axis:
    """Input height and width in pixels, labelled `512x512`."""
    return Axis(
        name="input",
        choices=labelled(sizes, lambda size: f"{size[0]}x{size[1]}"),
        apply=lambda candidate, size: replace(candidate, height=size[0], width=size[1]),
        invalidates=Invalidates.FREE,
    )


def extractor_axis() -> Axis:
    """Kind of the semantics extractor (paper, Table 4)."""
    return Axis(
        name="extractor",
        choices={kind.value: kind for kind in Extractor},
        apply=_with_extractor,
        invalidates=Invalidates.PARTIAL,
    )


def _with_extractor(candidate: Candidate, kind: Extractor) -> Candidate:
    """The canonical form forgets what the new kind does not use, so that no later axis sees it."""
    blocks = candidate.design.blocks or TINY.blocks
    return replace(candidate, design=canonical(replace(candidate.design, extractor=kind, blocks=blocks)))


def extra_ffns_axis(counts: Iterable[float]) -> Axis:
    """Feed-forward networks in the place of each attention, 0.5 being one in two blocks; for the kind ffn alone."""
    return field_axis(
        "extra_ffns",
        labelled(counts),
        Invalidates.PARTIAL,
        applies=lambda candidate: candidate.design.extractor is Extractor.FFN,
        reads=lambda candidate: candidate.design.extractor is Extractor.FFN,
    )
