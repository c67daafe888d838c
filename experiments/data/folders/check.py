"""The check of a data set: every file opened and decoded, every label counted, every problem named."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from experiments.data.folders.folder import IGNORED, SegmentationFolder, listing, numbered, survey
from experiments.data.folders.match import Pair
from experiments.data.images import read_image, read_label
from topformer.errors import DataError

_THREADS = 4
_LISTED_SIZES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check of a data set found.

    Attributes:
        folder: The data set; where nothing said its classes, they are inferred from the highest label.
        inferred: Whether the classes were inferred.
        decoded: Pairs that were decoded, by split.
        sizes: Images of each (width, height), most frequent first.
        pixels: For each split, pixels of every class, in the order of `folder.classes`.
        ignored: Ignored pixels, by split.
        problems: What makes the data set unusable: a sentence each, with the file's name.
        notes: What is worth knowing: a sentence each.
    """

    folder: SegmentationFolder
    inferred: bool
    decoded: Mapping[str, int]
    sizes: Mapping[tuple[int, int], int]
    pixels: Mapping[str, tuple[int, ...]]
    ignored: Mapping[str, int]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "root": str(self.folder.root),
            "name": self.folder.name,
            "ignore": self.folder.ignore,
            "classes": list(self.folder.classes),
            "classes_inferred": self.inferred,
            "groups": {name: list(members) for name, members in self.folder.groups.items()},
            "splits": {
                split: {
                    "pairs": len(pairs),
                    "pairs_of_the_whole_set": self._whole(split),
                    "decoded": self.decoded[split],
                    "ignored_pixels": self.ignored[split],
                    "class_pixels": dict(zip(self.folder.classes, self.pixels[split], strict=True)),
                }
                for split, pairs in self.folder.splits.items()
            },
            "sizes": {f"{width}x{height}": count for (width, height), count in self.sizes.items()},
            "problems": list(self.problems),
            "notes": list(self.notes),
        }

    def _whole(self, split: str) -> int | None:
        """Pairs of the split of the whole data set, where it is a known one."""
        return self.folder.source.splits[split].count if self.folder.source else None

    def lines(self) -> tuple[str, ...]:
        """The report as text: what there is, then a row per class, then notes and problems."""
        source = "inferred from the labels" if self.inferred else "named"
        counts = [
            f"{split}: {len(pairs)} pairs, {self.decoded[split]} decoded" for split, pairs in self.folder.splits.items()
        ]
        shown = [f"{width} x {height} ({n})" for (width, height), n in list(self.sizes.items())[:_LISTED_SIZES]]
        more = [f"and {len(self.sizes) - _LISTED_SIZES} more sizes"] if len(self.sizes) > _LISTED_SIZES else []
        return (
            f"{self.folder.name} in {self.folder.root}: {len(self.folder.classes)} classes, {source}",
            *counts,
            f"sizes: {', '.join(shown + more) or 'none'}",
            *self._class_lines(),
            *(f"note: {note}" for note in self.notes),
            *(f"problem: {problem}" for problem in self.problems),
        )

    def _class_lines(self) -> list[str]:
        """Share of each class in the pixels of each split, ignored pixels counted in the whole."""
        width = max((len(name) for name in self.folder.classes), default=0)
        rows = [f"{'class':{width}}" + "".join(f"  {split:>12}" for split in self.pixels)]
        totals = {split: max(1, sum(counts) + self.ignored[split]) for split, counts in self.pixels.items()}
        for k, name in enumerate(self.folder.classes):
            shares = (f"  {100 * counts[k] / totals[split]:>11.2f}%" for split, counts in self.pixels.items())
            rows.append(f"{name:{width}}" + "".join(shares))
        return rows


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pair holds: the image's (width, height), the histogram of its 256 label values, its problems."""

    size: tuple[int, int] | None
    histogram: npt.NDArray[np.int64]
    problems: tuple[str, ...]


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
        DataError: Something is missing, cannot be decoded, has another size than its label, or a label out of range.
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
    if decode != "all" and (isinstance(decode, bool) or not isinstance(decode, int) or decode < 0):
        raise DataError(f"decode must be 'all' or a number of pairs, got {decode!r}")
    folder, missing = survey(root, classes=classes, dataset=dataset)
    chosen = {split: _spread(pairs, decode) for split, pairs in folder.splits.items()}
    found = _decode(folder, chosen, progress)
    histograms = {split: sum((f.histogram for f in of), np.zeros(256, np.int64)) for split, of in found.items()}
    every = [item for of in found.values() for item in of]
    inferred = not folder.classes
    if inferred:
        folder = _infer(folder, histograms)
    return CheckReport(
        folder=folder,
        inferred=inferred,
        decoded={split: len(pairs) for split, pairs in chosen.items()},
        sizes=dict(Counter(item.size for item in every if item.size).most_common()),
        pixels={split: _class_pixels(folder, histogram) for split, histogram in histograms.items()},
        ignored={split: _ignored_pixels(folder, histogram) for split, histogram in histograms.items()},
        problems=(*missing, *(problem for item in every for problem in item.problems)),
        notes=tuple(_notes(folder, chosen, histograms)),
    )


def _spread(pairs: tuple[Pair, ...], decode: Literal["all"] | int) -> tuple[Pair, ...]:
    if decode == "all" or decode >= len(pairs):
        return pairs
    return tuple(pairs[i * len(pairs) // decode] for i in range(decode))


def _decode(
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
    problems: list[str] = []
    size, histogram = None, np.zeros(256, np.int64)
    try:
        height, width = read_image(pair.image).shape[:2]
        size = width, height
    except DataError as error:
        problems.append(str(error))
    try:
        label = read_label(pair.label)
    except DataError as error:
        problems.append(str(error))
        return _Found(size, histogram, tuple(problems))
    if size and label.shape != size[::-1]:
        problems.append(
            f"{pair.label} is {label.shape[1]} x {label.shape[0]} px, its image {pair.image} is {size[0]} x {size[1]}"
        )
    histogram = np.bincount(label.ravel(), minlength=256).astype(np.int64)
    wrong = _out_of_range(folder, histogram)
    if wrong:
        highest = len(folder.classes) - 1 + _first(folder)
        problems.append(
            f"{pair.label} has label(s) {', '.join(map(str, wrong))}; "
            f"accepted: 0 to {highest}, and {IGNORED} for ignored"
        )
    return _Found(size, histogram, tuple(problems))


def _first(folder: SegmentationFolder) -> int:
    """The label of the first class."""
    return 1 if folder.reduce_zero_label else 0


def _out_of_range(folder: SegmentationFolder, histogram: npt.NDArray[np.int64]) -> list[int]:
    if not folder.classes:
        return []
    beyond = range(_first(folder) + len(folder.classes), IGNORED)
    return [value for value in beyond if histogram[value]]


def _infer(folder: SegmentationFolder, histograms: Mapping[str, npt.NDArray[np.int64]]) -> SegmentationFolder:
    """As many classes as the highest label says; none where no label was decoded."""
    seen = [value for histogram in histograms.values() for value in np.flatnonzero(histogram[:IGNORED]).tolist()]
    number = max(0, max(seen, default=-1) + 1 - _first(folder))
    return replace(folder, classes=numbered(number))


def _class_pixels(folder: SegmentationFolder, histogram: npt.NDArray[np.int64]) -> tuple[int, ...]:
    first = _first(folder)
    return tuple(histogram[first : first + len(folder.classes)].tolist())


def _ignored_pixels(folder: SegmentationFolder, histogram: npt.NDArray[np.int64]) -> int:
    return int(histogram[IGNORED] + (histogram[0] if folder.reduce_zero_label else 0))


def _notes(
    folder: SegmentationFolder,
    chosen: Mapping[str, tuple[Pair, ...]],
    histograms: Mapping[str, npt.NDArray[np.int64]],
) -> list[str]:
    """Splits that are not the whole set's or not wholly decoded, and classes that a decoded split does not hold."""
    notes = []
    for split, pairs in folder.splits.items():
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
