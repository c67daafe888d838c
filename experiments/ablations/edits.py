"""Edits of a design by name: the label of an axis, or the value of a field."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from search_space.axes.axis import Axis
from search_space.candidate import Candidate
from search_space.spaces.catalogue import CATALOGUE
from topformer.codec import from_json, to_json
from topformer.errors import DesignError, SpaceError, StudyError, unknown_name


def edited(candidate: Candidate, edits: Mapping[str, Any]) -> Candidate:
    """The candidate after all edits, canonical.

    Args:
        candidate: Where the edits begin.
        edits: Name to value. A string is a label of the axis of that name (`injected = "8+16"`); anything else is
            the value of the design's field of that name, as in its JSON form (`num_classes = 60`).

    Raises:
        StudyError: There is no such axis, label or field, the axis does not apply, or no network can be built.
    """
    for name, value in edits.items():
        candidate = edited_once(candidate, name, value)
    return candidate.canonical()


def edited_once(candidate: Candidate, name: str, value: object) -> Candidate:
    """The candidate after one edit; arguments and errors as in `edited`."""
    try:
        if isinstance(value, str):
            return _with_label(candidate, name, value).canonical()
        return _with_field(candidate, name, value).canonical()
    except (SpaceError, DesignError) as error:
        raise StudyError(f"edit {name} = {value!r}: {error}") from None


def _with_label(candidate: Candidate, name: str, label: str) -> Candidate:
    axes = _axes(candidate)
    if name not in axes:
        raise SpaceError(unknown_name("axis", name, axes))
    if not axes[name].applies(candidate):
        raise SpaceError(f"axis {name!r} does not apply to this design")
    return axes[name].apply(candidate, axes[name].value(label))


def _with_field(candidate: Candidate, name: str, value: object) -> Candidate:
    fields = to_json(candidate.design)
    if name not in fields or name == "schema":
        raise DesignError(unknown_name("field of a design", name, [key for key in fields if key != "schema"]))
    design = from_json({**fields, name: value})
    return Candidate(design=design, height=candidate.height, width=candidate.width)


@lru_cache(maxsize=64)
def _axes(candidate: Candidate) -> Mapping[str, Axis]:
    """The axes of every named space around the candidate, by name; where several share one, the widest space's."""
    return {axis.name: axis for make in CATALOGUE.values() for axis in make(candidate)}
