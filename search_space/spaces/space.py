"""Search spaces: a base design, the axes along which it may vary, and rules; suggested, listed, counted, sampled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from search_space.axes.axis import Axis
from search_space.candidate import Candidate
from search_space.spaces.catalogue import CATALOGUE
from search_space.spaces.diagram import Node, diagram, listed, numbered
from search_space.spaces.sampling import Chooser, DictChooser, RecordingChooser, distinct_indices
from search_space.spaces.validity import POOLED_GRID, Rule, check_valid
from topformer.design import Design
from topformer.errors import SpaceError, unknown_name
from topformer.presets import preset

ALPHA = 0.05
"""Probability of meeting a latency limit below which a sweep trains nothing, if its study names no other."""


@dataclass(frozen=True, eq=False)
class Space:
    """How a design may vary.

    Every candidate that a space gives is valid and canonical, so that equal networks are equal candidates.

    Attributes:
        name: Of the space, for messages and records.
        base: Where every walk along the axes begins.
        axes: In the order in which they are asked; an axis may depend on those before it.
        rules: What every candidate fulfils. The named spaces fulfil theirs by construction.

    Raises:
        SpaceError: Two axes have one name.
    """

    name: str
    base: Candidate
    axes: tuple[Axis, ...]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SpaceError(f"axes of a space must have different names, got {', '.join(twice)} twice")

    def axis(self, name: str) -> Axis:
        """The axis of that name.

        Raises:
            SpaceError: There is none; the message offers the nearest name.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise SpaceError(unknown_name(f"axis of space {self.name!r}", name, (axis.name for axis in self.axes)))

    def suggest(self, chooser: Chooser) -> Candidate:
        """The candidate that the chooser's answers describe; it is asked for the axes that apply, in order.

        Raises:
            SpaceError: An answer is no label of its axis, or a rule rejects the candidate.
        """
        candidate = self.base
        for axis in self.axes:
            if axis.applies(candidate):
                candidate = axis.apply(candidate, axis.value(chooser.choose(axis.name, axis.labels)))
        return check_valid(candidate.canonical(), self.rules)

    def candidate(self, labels: Mapping[str, str]) -> Candidate:
        """The candidate that a label for each axis that applies describes.

        Raises:
            SpaceError: A label is missing, unknown, or for an axis that is unknown or does not apply; or a rule
                rejects the candidate.
        """
        for name, label in labels.items():
            self.axis(name).value(label)
        recorder = RecordingChooser(DictChooser(labels))
        candidate = self.suggest(recorder)
        for name in labels:
            if name not in recorder.labels:
                raise SpaceError(f"axis {name!r} does not apply to the other labels' design, got {labels[name]!r}")
        return candidate

    def labels_of(self, candidate: Candidate) -> dict[str, str] | None:
        """The labels that describe a candidate, or None where the space does not hold it."""
        target = candidate.canonical()
        labels: dict[str, str] = {}
        # Every axis is read off the finished design: what an axis decided, no later axis has changed.
        for axis in self.axes:
            if axis.applies(target):
                label = axis.label_of(target)
                if label is None:
                    return None
                labels[axis.name] = label
        try:
            return labels if self.candidate(labels) == target else None
        except SpaceError:
            return None

    def __contains__(self, candidate: Candidate) -> bool:
        return self.labels_of(candidate) is not None

    def restricted(self, only: Mapping[str, str | Iterable[str]]) -> "Space":
        """The space with only these labels of some axes: one label, or several.

        Raises:
            SpaceError: An axis or label does not exist, or an axis is left without labels.
        """
        remaining = {name: [labels] if isinstance(labels, str) else list(labels) for name, labels in only.items()}
        for name in remaining:
            self.axis(name)
        axes = (axis.restricted(remaining[axis.name]) if axis.name in remaining else axis for axis in self.axes)
        return replace(self, axes=tuple(axes))

    def count(self) -> int:
        """The exact number of distinct designs: labels that give one network count once."""
        return self._diagram.total

    def enumerate(self) -> Iterator[Candidate]:
        """Every distinct candidate once, in the order of the labels; lazily."""
        return listed(self._diagram, self.base)

    def __iter__(self) -> Iterator[Candidate]:
        return self.enumerate()

    def sample(self, seed: int, n: int) -> list[Candidate]:
        """`n` distinct candidates in random order; every set of `n` is equally probable.

        Raises:
            SpaceError: The space does not hold so many.
        """
        total = self.count()
        if not 0 <= n <= total:
            raise SpaceError(f"n must lie between 0 and the {total:,} designs of space {self.name!r}, got {n!r}")
        # Numbers are drawn and not labels, so that a network with many descriptions is no likelier than another.
        order = distinct_indices(total, n, seed)
        ascending = sorted(order)
        drawn = dict(zip(ascending, numbered(self._diagram, self.base, ascending), strict=True))
        return [drawn[index] for index in order]

    def some(self, seed: int, n: int) -> list[Candidate]:
        """The whole space in its order if it holds at most `n` designs, else `n` as `sample` draws them."""
        return list(self) if self.count() <= n else self.sample(seed, n)

    def describe(self) -> dict[str, Any]:
        """The space as plain JSON; part of the identity of a study."""
        return {
            "name": self.name,
            "base": self.base.fingerprint,
            "axes": {axis.name: list(axis.labels) for axis in self.axes},
            "rules": [rule.name for rule in self.rules],
        }

    @cached_property
    def _diagram(self) -> Node:
        return diagram(self.base, self.axes, self.rules)


def space(
    name: str,
    *,
    base: Design | str = "tiny",
    height: int = 512,
    width: int = 512,
    only: Mapping[str, str | Iterable[str]] | None = None,
) -> Space:
    """A named space around a base design, which it always holds unless `only` excludes it.

    Args:
        name: One of `spaces()`; `search_space.spaces.catalogue` says what each varies.
        base: A design, or the name of a preset.
        height: Input height in pixels.
        width: Input width in pixels.
        only: Labels to keep, for some axes: `{"depth": ["1", "2"], "head": "sum"}`.

    Raises:
        SpaceError: Unknown name, axis or label, or a base that the space cannot hold.
        DesignError: Unknown preset, or an impossible input size.
    """
    if name not in CATALOGUE:
        raise SpaceError(unknown_name("space", name, CATALOGUE))
    design = preset(base) if isinstance(base, str) else base
    start = check_valid(Candidate(design=design, height=height, width=width).canonical(), (POOLED_GRID,))
    whole = Space(name=name, base=start, axes=CATALOGUE[name](start), rules=(POOLED_GRID,))
    if start not in whole:
        raise SpaceError(f"space {name!r} cannot hold its base design, got {design}")
    return whole.restricted(only) if only else whole


def spaces() -> tuple[str, ...]:
    """The names of all spaces."""
    return tuple(CATALOGUE)
