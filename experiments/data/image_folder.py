"""Folders with one subfolder of images per class, as ImageNet is unpacked: `train/CLASS/*` and `val/CLASS/*`."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from experiments.data.listing import IMAGE_SUFFIXES, accepted, files, folders
from topformer.errors import DataError

TRAIN, VAL = "train", "val"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Example:
    """An image file and the number of its class."""

    image: Path
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFolder:
    """A classification data set on disk.

    Attributes:
        root: Its folder.
        classes: Names of the classes, sorted; their positions are the class numbers.
        splits: Examples of `train` and `val`, sorted by class and name.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[Example, ...]]

    @property
    def name(self) -> str:
        """What the data set is called after: its folder."""
        return self.root.resolve().name

    def digest(self) -> str:
        """A short hash of the names and sizes of all files, by which a resumed training knows its data."""
        digest = sha256()
        for examples in self.splits.values():
            for example in examples:
                relative = example.image.relative_to(self.root).as_posix()
                digest.update(f"{relative} {example.image.stat().st_size}\n".encode())
        return digest.hexdigest()[:12]


def open_class_folder(root: Path) -> ClassFolder:
    """List a data set; no image is decoded.

    Raises:
        DataError: A split is missing, has fewer than two classes or an empty one, or the splits' classes differ.
    """
    names = {split: _classes(root, split) for split in (TRAIN, VAL)}
    if names[TRAIN] != names[VAL]:
        raise DataError(f"{TRAIN}/ and {VAL}/ of {root} must have the same classes; {_difference(names)}")
    return ClassFolder(
        root=root,
        classes=names[TRAIN],
        splits={split: _examples(root / split, names[TRAIN]) for split in (TRAIN, VAL)},
    )


def _classes(root: Path, split: str) -> tuple[str, ...]:
    folder = root / split
    if not folder.is_dir():
        raise DataError(f"{root} must hold {TRAIN}/CLASS/*.JPEG and {VAL}/CLASS/*.JPEG; there is no folder {split}/")
    names = tuple(inside.name for inside in folders(folder))
    if len(names) < 2:
        raise DataError(f"{folder} must hold a folder for each of at least two classes, got {len(names)}")
    return names


def _difference(names: Mapping[str, tuple[str, ...]]) -> str:
    lacking = {split: sorted(set(names[other]) - set(names[split])) for split, other in ((TRAIN, VAL), (VAL, TRAIN))}
    parts = (
        f"{split}/ lacks {len(absent)}: {', '.join(absent[:_SHOWN])}{' ...' if len(absent) > _SHOWN else ''}"
        for split, absent in lacking.items()
        if absent
    )
    return "; ".join(parts)


def _examples(folder: Path, classes: tuple[str, ...]) -> tuple[Example, ...]:
    found: list[Example] = []
    for label, name in enumerate(classes):
        images = files(folder / name, IMAGE_SUFFIXES)
        if not images:
            raise DataError(f"class folder {folder / name} has no image; {accepted(IMAGE_SUFFIXES)}")
        found.extend(Example(path, label) for path in images)
    return tuple(found)
