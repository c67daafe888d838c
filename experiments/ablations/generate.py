"""Ablation tables made from a search space: one factor at a time, and leave one out."""

from collections.abc import Iterable

from experiments.ablations.definition import RowDefinition, TableDefinition
from experiments.ablations.edits import edited
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from search_space.spaces.validity import broken_rules
from topformer.errors import StudyError


def one_factor(space: Space, name: str) -> TableDefinition:
    """Every label of every axis that applies to the space's base, one change at a time.

    A label that gives the network of an earlier row, or the base itself, is left out.

    Args:
        space: The axes and the base.
        name: Of the base, for the table.

    Raises:
        StudyError: No label changes anything.
    """
    changes = [(axis.name, label) for axis in space.axes if axis.applies(space.base) for label in axis.labels]
    rows = _rows(space, space.base, name, changes)
    return _table(f"one-factor-{space.name}", f"One factor at a time in space {space.name}", name, rows)


def leave_one_out(space: Space, design: Candidate, name: str) -> TableDefinition:
    """Every axis on which a design differs from the space's base, put back to the base's label, one at a time.

    Args:
        space: The axes and the base.
        design: A candidate of the space, such as one that a sweep found.
        name: Of the design, for the table.

    Raises:
        StudyError: The space does not hold the design, or nothing can be put back.
    """
    mine, before = space.labels_of(design), space.labels_of(space.base)
    if mine is None or before is None:
        raise StudyError(f"space {space.name!r} does not hold the design {name} ({design.fingerprint})")
    changes = [(axis, label) for axis, label in before.items() if axis in mine and mine[axis] != label]
    rows = _rows(space, design.canonical(), name, changes)
    return _table(f"leave-one-out-{space.name}", f"What each choice of {name} is worth", name, rows)


def _rows(space: Space, start: Candidate, name: str, changes: Iterable[tuple[str, str]]) -> list[RowDefinition]:
    """The start, and every change of it that gives another valid network."""
    rows, seen = [RowDefinition(label=name, candidate=start)], {start.canonical().fingerprint}
    for axis, label in changes:
        candidate = edited(start, {axis: label})
        if candidate.fingerprint not in seen and not broken_rules(candidate, space.rules):
            seen.add(candidate.fingerprint)
            rows.append(RowDefinition(label=f"{axis} {label}", candidate=candidate, edits={axis: label}))
    return rows


def _table(identity: str, title: str, name: str, rows: list[RowDefinition]) -> TableDefinition:
    start = rows[0].candidate
    assert start is not None
    if len(rows) == 1:
        raise StudyError(f"no label of the space changes {name}: there is nothing to compare")
    return TableDefinition(
        id=identity,
        title=title,
        base=f"{name} at {start.height} x {start.width}",
        candidate=start,
        baseline=name,
        rows=tuple(rows),
    )
