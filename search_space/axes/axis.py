"""What an axis is: one thing that may vary in a candidate, its labelled choices, and what a change costs."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from search_space.candidate import Candidate
from topformer.design import Design
from topformer.errors import SpaceError, unknown_name


class Invalidates(StrEnum):
    """How much of an ImageNet checkpoint a change makes useless."""

    FREE = "free"
    """Nothing: the pretrained pyramid and extractor fit as they are."""
    PARTIAL = "partial"
    """The extractor's weights; the pyramid's stay."""
    FULL = "full"
    """The pyramid's weights too: new pretraining, or inheritance by slicing, declared as such."""


def always(_candidate: Candidate) -> bool:
    """Whether an axis applies that is asked of every candidate: it does."""
    return True


def nothing(_candidate: Candidate) -> Hashable:
    """No facts: what an axis reads whose effect depends on no other axis."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One thing that may vary.

    Attributes:
        name: Unique within a space; a key of studies, records and tables.
        choices: Values by label, in order; immutable.
        apply: Gives the candidate with that value; pure, and without effect where the candidate has it already.
        invalidates: What a change costs in pretraining.
        applies: Whether the axis is asked, given the candidate that all axes before it have made.
        reads: The facts of that candidate on which the axis depends: they decide whether it applies, which of its
            labels mean the same network, and what a label does to the facts that later axes and rules read.
            Counting a space without listing it rests on them: two candidates that agree in all facts still to be read
            are continued as one. A fact too many costs time, a missing one gives a wrong count.

    Raises:
        SpaceError: The axis has no choices.
    """

    name: str
    choices: Mapping[str, Any]
    apply: Callable[[Candidate, Any], Candidate]
    invalidates: Invalidates
    applies: Callable[[Candidate], bool] = always
    reads: Callable[[Candidate], Hashable] = nothing

    def __post_init__(self) -> None:
        if not self.choices:
            raise SpaceError(f"axis {self.name!r} must have at least one choice, got none")
        object.__setattr__(self, "choices", MappingProxyType(dict(self.choices)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in order."""
        return tuple(self.choices)

    def value(self, label: str) -> Any:
        """The value behind a label.

        Raises:
            SpaceError: The axis has no such label; the message offers the nearest one.
        """
        if label not in self.choices:
            raise SpaceError(unknown_name(f"label of axis {self.name!r}", label, self.choices))
        return self.choices[label]

    def label_of(self, candidate: Candidate) -> str | None:
        """The first label that says what `candidate` already is, or None where none does."""
        # Equal as they stand, first: canonical forms are dearer to make.
        for label, value in self.choices.items():
            if self.apply(candidate, value) == candidate:
                return label
        # Ratios differ from the quotient of widths that they stand for.
        network = candidate.canonical()
        for label, value in self.choices.items():
            if self.apply(candidate, value).canonical() == network:
                return label
        return None

    def restricted(self, labels: Iterable[str]) -> "Axis":
        """The axis with only these labels, in their first order.

        Raises:
            SpaceError: A label does not exist, or none is left.
        """
        remaining = set(labels)
        for label in sorted(remaining):
            self.value(label)
        return replace(self, choices={label: value for label, value in self.choices.items() if label in remaining})


def edit(candidate: Candidate, **changes: Any) -> Candidate:
    """The candidate with these fields of its design replaced, unchecked.

    A walk along fifty axes would check fifty designs of which one is wanted; `Candidate.canonical`, with which every
    walk ends, builds its design anew and checks it.
    """
    # `replace` would run the checks of `__post_init__`.
    before, after = candidate.design, object.__new__(Design)
    for name in _DESIGN_FIELDS:
        object.__setattr__(after, name, changes[name] if name in changes else getattr(before, name))
    return Candidate(design=after, height=candidate.height, width=candidate.width)


_DESIGN_FIELDS = tuple(item.name for item in fields(Design))


def labelled(values: Iterable[Any], label: Callable[[Any], str] = str) -> dict[str, Any]:
    """Distinct values in ascending order, by label."""
    return {label(value): value for value in sorted(set(values))}


def field_axis(
    name: str,
    choices: Mapping[str, Any],
    invalidates: Invalidates = Invalidates.FREE,
    *,
    applies: Callable[[Candidate], bool] = always,
    reads: Callable[[Candidate], Hashable] = nothing,
) -> Axis:
    """An axis that replaces the field of the design that has its name."""
    return Axis(
        name=name,
        choices=choices,
        apply=lambda candidate, value: edit(candidate, **{name: value}),
        invalidates=invalidates,
        applies=applies,
        reads=reads,
    )
