"""The check of a data set: every file opened and decoded, every label counted, every problem named."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from experiments.data.folders.folder import ONE_CLASS, SegmentationFolder, listing, survey
from experiments.data.folders.known import TRAINING, VALIDATION
from experiments.data.folders.labels import IGNORED, Labelling, numbered
from experiments.data.folders.match import Pair, unread_folders
from experiments.data.folders.report import CheckReport
from experiments.data.images import Pixels, check_sizes, decode, read_label
from topformer.errors import DataError
from topformer.kinds import is_integer

_THREADS = 4
_NAMED_FILES = 10

Histogram = npt.NDArray[np.int64]
"""(256,) pixels of every label value."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pair holds: the image's (width, height), its labels, its problems, and whether it may lie wrongly."""

    size: tuple[int, int] | None
    histogram: Histogram
    problems: tuple[str, ...]
    ambiguous: bool


def check_folder(
    root: Path,
    *,
    classes: int | Sequence[str] | None = None,
    dataset: str | None = None,
    decode: Literal["all"] | int = "all",
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Check a data set, and refuse it with one message that names every broken file.

    Args:
        root: A folder in the layout of `open_folder`.
        classes: Names of the classes, or their number, where the folder does not say them.
        dataset: Name of the known data set that the folder must hold.
        decode: `all`, or how many pairs of each split to decode, evenly spread over it.
        progress: Called with pairs decoded and pairs in all.

    Raises:
        DataError: Something is missing, cannot be decoded, has another size than its label, or a label out of range;
            or the labels leave nothing to learn, or seem to be numbered otherwise than the folder says.
    """
    report = inspect_folder(root, classes=classes, dataset=dataset, decode=decode, progress=progress)
    if report.problems:
        raise DataError(listing(report.folder, report.problems))
    return report


def inspect_folder(
    root: Path,
    *,
    classes: int | Sequence[str] | None = None,
    dataset: str | None = None,
    decode: Literal["all"] | int = "all",
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """The report of `check_folder`, with the problems in it instead of an error.

    Raises:
        DataError: `root` is not a folder, its description cannot be read, or an argument is out of range.
    """
    if decode != "all" and (not is_integer(decode) or decode < 0):
        raise DataError(f"decode must be 'all' or a number of pairs, got {decode!r}")
    folder, missing = survey(root, classes=classes, dataset=dataset)
    chosen = {split: _spread(pairs, decode) for split, pairs in folder.splits.items()}
    found = _decoded(folder, chosen, progress)
    histograms = {split: sum((f.histogram for f in of), np.zeros(256, np.int64)) for split, of in found.items()}
    every = [item for of in found.values() for item in of]
    inferred = not folder.classes
    if inferred:
        folder = _infer(folder, histograms)
    problems = (*missing, *(problem for item in every for problem in item.problems))
    whole = not problems and all(len(chosen[split]) == len(pairs) for split, pairs in folder.splits.items())
    return CheckReport(
        folder=folder,
        inferred=inferred,
        decoded={split: len(pairs) for split, pairs in chosen.items()},
        sizes=dict(Counter(item.size for item in every if item.size).most_common()),
        pixels={split: _class_pixels(folder, histogram) for split, histogram in histograms.items()},
        ignored={split: _ignored_pixels(folder, histogram) for split, histogram in histograms.items()},
        # What the labels mean as a whole can be judged only where all of them were read.
        problems=(*problems, *(_label_problems(folder, histograms) if whole else ())),
        notes=(*_notes(folder, chosen, histograms), *_orientation_notes(chosen, found)),
    )


def _spread(pairs: tuple[Pair, ...], decode: Literal["all"] | int) -> tuple[Pair, ...]:
    if decode == "all" or decode >= len(pairs):
        return pairs
    return tuple(pairs[i * len(pairs) // decode] for i in range(decode))


def _decoded(
    folder: SegmentationFolder, chosen: Mapping[str, tuple[Pair, ...]], progress: Callable[[int, int], None] | None
) -> dict[str, list[_Found]]:
    total, done = sum(map(len, chosen.values())), 0
    found: dict[str, list[_Found]] = {split: [] for split in chosen}
    with ThreadPoolExecutor(_THREADS) as pool:
        for split, pairs in chosen.items():
            for item in pool.map(lambda pair: _inspect(folder, pair), pairs):
                found[split].append(item)
                done += 1
                if progress:
                    progress(done, total)
    return found


def _inspect(folder: SegmentationFolder, pair: Pair) -> _Found:
    """Both files are read whatever the other one is like, so that all problems come at once."""
    problems: list[str] = []
    label, pixels, ambiguous = None, None, False
    try:
        label = read_label(pair.label)
    except DataError as error:
        problems.append(str(error))
    try:
        image = decode(pair.image)
        pixels, ambiguous = image.upright(_size(image.pixels if label is None else label)), image.ambiguous
        if label is not None:
            check_sizes(pair.image, pixels.shape, pair.label, label.shape)
    except DataError as error:
        problems.append(str(error))
    histogram = np.zeros(256, np.int64) if label is None else np.bincount(label.ravel(), minlength=256)
    if folder.classes and (wrong := folder.labelling.beyond(np.flatnonzero(histogram).astype(np.uint8))):
        problems.append(folder.labelling.complaint(pair.label, wrong))
    size = None if pixels is None else (pixels.shape[1], pixels.shape[0])
    return _Found(size, histogram.astype(np.int64), tuple(problems), ambiguous)


def _size(pixels: Pixels) -> tuple[int, int]:
    return pixels.shape[0], pixels.shape[1]


def _infer(folder: SegmentationFolder, histograms: Mapping[str, Histogram]) -> SegmentationFolder:
    """As many classes as the highest label says; none where no label was decoded."""
    seen = [value for histogram in histograms.values() for value in np.flatnonzero(histogram[:IGNORED]).tolist()]
    number = max(0, max(seen, default=-1) + 1 - Labelling(0, folder.ignore).first)
    return replace(folder, classes=numbered(number))


def _class_pixels(folder: SegmentationFolder, histogram: Histogram) -> tuple[int, ...]:
    first = Labelling(0, folder.ignore).first
    return tuple(histogram[first : first + len(folder.classes)].tolist())


def _ignored_pixels(folder: SegmentationFolder, histogram: Histogram) -> int:
    return int(histogram[IGNORED] + (histogram[0] if folder.reduce_zero_label else 0))


def _label_problems(folder: SegmentationFolder, histograms: Mapping[str, Histogram]) -> list[str]:
    """What makes the labels useless as a whole, each with its cure."""
    ignored = "0 and 255 are" if folder.reduce_zero_label else "255 is"
    empty = [
        f"split {split} has no labelled pixel: {ignored} ignored, and nothing else occurs{_cure(folder)}"
        for split, histogram in histograms.items()
        # A split of another name may have labels that were never drawn.
        if split in (TRAINING, VALIDATION) and not any(_class_pixels(folder, histogram))
    ]
    if empty:
        return empty
    totals = _class_pixels(folder, np.sum(list(histograms.values()), axis=0))
    present = [name for name, count in zip(folder.classes, totals, strict=True) if count]
    if len(present) == 1:
        return [f"only one class, {present[0]}, occurs where {ignored} ignored: {ONE_CLASS}"]
    zeros = sum(int(histogram[0]) for histogram in histograms.values())
    if folder.reduce_zero_label and not folder.ignore_said and zeros and not totals[-1]:
        return [
            f"label 0 occurs and is ignored, and the last class, {folder.classes[-1]}, which is label "
            f"{len(folder.classes)}, never occurs: the labels seem to be numbered from 0{_cure(folder)}"
        ]
    return []


def _cure(folder: SegmentationFolder) -> str:
    """What to write where label 0 is a class, or is rightly none."""
    if not folder.reduce_zero_label:
        return ""
    names = json.dumps(folder.classes[:2]).removesuffix("]") + (", ...]" if len(folder.classes) > 2 else "]")
    return (
        f'; if label 0 is a class, describe the folder in dataset.json with {{"classes": {names}, "ignore": 255}}; '
        'if it is not, say so there with "ignore": 0'
    )


def _notes(
    folder: SegmentationFolder, chosen: Mapping[str, tuple[Pair, ...]], histograms: Mapping[str, Histogram]
) -> list[str]:
    """Splits that are not the whole set's or not wholly read, and classes that a decoded split does not hold."""
    notes = []
    for split, pairs in folder.splits.items():
        notes += [
            f"{inside} is not looked into: only files directly in the folder of a split count"
            for inside in unread_folders(folder.root, split, folder.source)
        ]
        if folder.source and len(pairs) != folder.source.splits[split].count:
            whole = folder.source.splits[split].count
            notes.append(f"{split} has {len(pairs):,} images, the whole {folder.source.name} has {whole:,}")
        if len(chosen[split]) < len(pairs):
            notes.append(f"{len(chosen[split])} of the {len(pairs)} pairs of {split} were decoded")
            continue
        pixels = _class_pixels(folder, histograms[split])
        absent = [name for name, count in zip(folder.classes, pixels, strict=True) if not count]
        if pairs and absent:
            notes.append(f"{split} has no pixel of {', '.join(absent)}")
    return notes


def _orientation_notes(chosen: Mapping[str, tuple[Pair, ...]], found: Mapping[str, list[_Found]]) -> list[str]:
    """The images of which nothing tells whether their labels belong to the turned one."""
    named = [
        str(pair.image)
        for split, pairs in chosen.items()
        for pair, item in zip(pairs, found[split], strict=True)
        if item.ambiguous
    ]
    if not named:
        return []
    more = f" and {len(named) - _NAMED_FILES} more" if len(named) > _NAMED_FILES else ""
    return [
        f"{len(named)} image(s) have an orientation tag that mirrors them or turns them into their own size, and are "
        f"read as they are stored; look whether their labels lie so: {', '.join(named[:_NAMED_FILES])}{more}"
    ]
