"""What a check of a data set found, as text and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.data.folders.folder import SegmentationFolder

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
        """Share of each class, and of what is ignored, in the pixels of each split."""
        ignored = "ignored: label 0, 255" if self.folder.reduce_zero_label else "ignored: label 255"
        width = max(map(len, (ignored, *self.folder.classes)))
        totals = {split: max(1, sum(counts) + self.ignored[split]) for split, counts in self.pixels.items()}

        def row(name: str, counts: Mapping[str, int]) -> str:
            return f"{name:{width}}" + "".join(f"  {100 * n / totals[split]:>11.2f}%" for split, n in counts.items())

        head = f"{'class':{width}}" + "".join(f"  {split:>12}" for split in self.pixels)
        rows = [
            row(name, {split: counts[k] for split, counts in self.pixels.items()})
            for k, name in enumerate(self.folder.classes)
        ]
        return [head, *rows, row(ignored, self.ignored)]
