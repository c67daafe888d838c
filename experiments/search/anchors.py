"""The designs that a study names to be tried first: presets, files, and designs of other runs."""

from dataclasses import replace

from analysis.records.named_design import named_design
from experiments.search.definition import StudyDefinition
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import ExplorerError, StudyError


def named_anchors(definition: StudyDefinition, space: Space) -> tuple[Candidate, ...]:
    """The study's own anchors at its size, with the classes of its base.

    Raises:
        StudyError: One does not exist, or the space cannot express it; the message names it.
    """
    return tuple(_candidate(text, space) for text in definition.anchors)


def _candidate(text: str, space: Space) -> Candidate:
    try:
        design = named_design(text)
        base = space.base
        classes = base.design.num_classes
        found = Candidate(design=replace(design, num_classes=classes), height=base.height, width=base.width).canonical()
    except ExplorerError as error:
        raise StudyError(f"anchors: {text!r}: {error}") from None
    if found not in space:
        axes = ", ".join(axis.name for axis in space.axes if axis.applies(found) and axis.label_of(found) is None)
        why = f" (axis {axes} has no such label)" if axes else ""
        raise StudyError(f"anchors: {text!r} is no design of space {space.name!r} around the study's base{why}")
    return found
