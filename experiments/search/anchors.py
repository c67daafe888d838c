"""The designs that a study names to be tried first: presets, files, and designs of other runs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from analysis.records.record import JsonlStore, Record
from experiments.search.definition import StudyDefinition
from experiments.trials.run_folder import RECORDS
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.codec import from_json
from topformer.design import Design
from topformer.design_file import read_design
from topformer.errors import DesignError, ExplorerError, StudyError


def named_anchors(definition: StudyDefinition, space: Space) -> tuple[Candidate, ...]:
    """The study's own anchors at its size, with the classes of its base.

    Raises:
        StudyError: One does not exist, or the space cannot express it; the message names it.
    """
    return tuple(_candidate(text, space) for text in definition.anchors)


def _candidate(text: str, space: Space) -> Candidate:
    try:
        design = _design(text)
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


def _design(text: str) -> Design:
    run, colon, prefix = text.rpartition(":")
    return _recorded(Path(run), prefix) if colon else read_design(text)


def _recorded(run: Path, prefix: str) -> Design:
    """The design of a run whose fingerprint begins so."""
    if not (run / RECORDS).is_file():
        raise DesignError(f"there is no {RECORDS} in {run}, which must be a run folder")
    found = {record.fingerprint: record for record in _matching(run, prefix)} if prefix else {}
    if len(found) != 1:
        which = f"{len(found)} designs: {', '.join(sorted(found)[:5])}" if found else "none"
        raise DesignError(f"a fingerprint of {run} must begin with {prefix!r}, of one design alone; got {which}")
    return from_json(dict(next(iter(found.values())).design))


def _matching(run: Path, prefix: str) -> Iterator[Record]:
    return (record for record in JsonlStore(run / RECORDS).read().records if record.fingerprint.startswith(prefix))
