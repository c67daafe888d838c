"""Folders of images and labels: those of the known data sets, and any in ADE20K layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.data.folders.description import DESCRIPTIONS, describe
from experiments.data.folders.known import KnownSet, known_set, recognise
from experiments.data.folders.labels import MOST_CLASSES, Labelling, numbered
from experiments.data.folders.match import ANNOTATIONS, IMAGES, Pair, find_pairs
from experiments.data.images import Pixels, read_pair
from experiments.data.listing import folders
from experiments.data.tokenworld.write import MANIFEST
from topformer.errors import DataError, shown, unknown_name

ONE_CLASS = (
    "with one class every labelled pixel is right whatever a network says; name what is not it as a class too, such "
    'as {"classes": ["background", "road"], "ignore": 255} in dataset.json'
)
"""Why one class is refused, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationFolder:
    """A data set on disk.

    Attributes:
        root: Its folder.
        name: What a metric is called after, such as `tokenworld-128` in `miou@tokenworld-128`.
        classes: Names of the classes; empty where no file and no caller says them.
        splits: The pairs of each split, sorted by name.
        ignore: Label value that is ignored: 0, where class k is label k + 1, as in ADE20K; or 255, where class k
            is label k. A label of 255 is ignored in both.
        ignore_said: Whether a description or the data set's authors say so, and not only the default.
        groups: Names of groups of classes, each with its classes.
        colours: A colour for each class, or empty.
        source: The known data set that it is, if any.
    """

    root: Path
    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[Pair, ...]]
    ignore: int = 0
    ignore_said: bool = False
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    colours: tuple[tuple[int, int, int], ...] = ()
    source: KnownSet | None = None

    @property
    def reduce_zero_label(self) -> bool:
        """Whether label 0 is ignored and class k is label k + 1 (mmsegmentation's name for it)."""
        return self.ignore == 0

    @property
    def num_classes(self) -> int:
        """Number of classes.

        Raises:
            DataError: Nothing says how many there are.
        """
        if not self.classes:
            raise DataError(
                f"the classes of {self.root} are not known; add classes.txt with one name per line, or say their number"
            )
        return len(self.classes)

    def pairs(self, split: str) -> tuple[Pair, ...]:
        """The pairs of one split.

        Raises:
            DataError: There is no such split.
        """
        if split not in self.splits:
            raise DataError(unknown_name(f"split of {self.root}", split, self.splits))
        return self.splits[split]

    @property
    def labelling(self) -> Labelling:
        """What the values of its labels mean.

        Raises:
            DataError: Nothing says how many classes there are.
        """
        return Labelling(self.num_classes, self.ignore)

    def read(self, pair: Pair) -> tuple[Pixels, Pixels]:
        """An image (H, W, 3), red first, and the class of every pixel (H, W), 255 where it is ignored; both uint8.

        Raises:
            DataError: A file cannot be read, the two differ in size, or a label is no class; the message names it.
        """
        pixels, stored = read_pair(pair.image, pair.label)
        return pixels, self.labelling.targets(stored, pair.label)


def open_folder(
    root: Path,
    *,
    classes: int | Sequence[str] | None = None,
    dataset: str | None = None,
    hint: str | None = None,
) -> SegmentationFolder:
    """The data set in a folder: a known one in its own layout, or any in ADE20K layout.

    A known data set (`known.KNOWN`) is recognised by its layout, unless the folder describes itself, which
    may be by `dataset.json` with its name under `dataset`; it has the class names and colours that mmsegmentation
    gives it. Any other folder holds `ROOT/images/SPLIT/*.jpg|jpeg|png` and `ROOT/annotations/SPLIT/*.png`;
    class names come from the caller, else `tokenworld.json`, `dataset.json` (keys `classes`, and if wanted `name`,
    `ignore`, `groups`, `palette`) or `classes.txt` (one name per line). What else lies there is told by
    `experiments.data.listing`.
    No image is opened; `check_folder` does that.

    Args:
        root: The folder.
        classes: Names of the classes, or their number, in the place of what a folder in ADE20K layout says.
        dataset: Name of the known data set that the folder must hold.
        hint: Name of the known data set to prefer where a layout serves several.

    Raises:
        DataError: There is no such folder, a split is empty or incomplete, or a description cannot be read; all
            missing files are named in one message.
    """
    folder, problems = survey(root, classes=classes, dataset=dataset, hint=hint)
    if problems:
        raise DataError(listing(folder, problems))
    return folder


def survey(
    root: Path,
    *,
    classes: int | Sequence[str] | None = None,
    dataset: str | None = None,
    hint: str | None = None,
) -> tuple[SegmentationFolder, tuple[str, ...]]:
    """The complete pairs of a folder, and a sentence for each file or split that is missing.

    Raises:
        DataError: There is no such folder, or its description cannot be read.
    """
    root = Path(root)
    named = known_set(dataset) if dataset is not None else None
    if not root.is_dir():
        expected = f"; {named.expected()}" if named else ""
        raise DataError(f"{root} is {'a file, not' if root.exists() else 'not'} a folder{expected}")
    if named and classes is not None:
        raise DataError(f"{named.name} has classes of its own, got classes={classes!r}")
    if named and (own := describe(root).get("classes")) and len(own) != named.num_classes:
        raise DataError(f"{root} says that it has {len(own)} classes, {named.name} has {named.num_classes}")
    if classes is None and named is None:
        named = _described(root) if any((root / name).exists() for name in DESCRIPTIONS) else recognise(root, hint=hint)
    return _survey_known(root, named) if named else _survey_plain(root, classes)


def _described(root: Path) -> KnownSet | None:
    """The known data set that a folder says it holds."""
    name = describe(root).get("dataset")
    return known_set(name) if name is not None else None


def known_folder(root: Path, known: KnownSet) -> SegmentationFolder:
    """A known data set at a place where nothing was looked at: it has no pairs."""
    names, colours = known.classes, known.palette
    if known.reader:
        from topformer.mmseg import classes_of

        names, colours = classes_of(known.reader)
    return SegmentationFolder(
        root=root,
        name=known.name,
        classes=names,
        splits={},
        ignore=known.ignore,
        ignore_said=True,
        colours=colours,
        source=known,
    )


def _survey_known(root: Path, known: KnownSet) -> tuple[SegmentationFolder, tuple[str, ...]]:
    if not any((root / split.images).is_dir() for split in known.splits.values()):
        raise DataError(f"{root} does not hold {known.name}; {known.expected()}")
    splits, problems = {}, []
    for split in known.splits:
        splits[split], missing = find_pairs(root, split, known)
        problems += missing
    return replace(known_folder(root, known), splits=MappingProxyType(splits)), tuple(problems)


def _survey_plain(root: Path, classes: int | Sequence[str] | None) -> tuple[SegmentationFolder, tuple[str, ...]]:
    if not (root / IMAGES).is_dir():
        raise DataError(
            f"{root} has no folder {IMAGES}; expected {IMAGES}/SPLIT/*.jpg and {ANNOTATIONS}/SPLIT/*.png, or a layout "
            "that `topformer data list` shows"
        )
    about = describe(root)
    names = sorted({inside.name for kind in (IMAGES, ANNOTATIONS) for inside in folders(root / kind)})
    splits, problems = {}, [] if names else [f"{root / IMAGES} has no split"]
    for split in names:
        splits[split], missing = find_pairs(root, split, None)
        problems += missing or _short(split, len(splits[split]), about)
    if classes is not None:
        about = {**about, "classes": classes, "groups": {}, "palette": ()}
    folder = SegmentationFolder(
        root=root,
        name=about.get("name", root.resolve().name.lower()),
        classes=_class_names(about.get("classes", ())),
        splits=MappingProxyType(splits),
        ignore=about.get("ignore", 0),
        # A tokenworld writes its own labels.
        ignore_said="ignore" in about or (root / MANIFEST).is_file(),
        groups=MappingProxyType({name: tuple(members) for name, members in about.get("groups", {}).items()}),
        colours=tuple(tuple(colour) for colour in about.get("palette", ())),
    )
    return folder, tuple(problems)


def listing(folder: SegmentationFolder, problems: Sequence[str], most: int = 100) -> str:
    """All problems in one message, or the first `most` of them and how many more there are."""
    rest = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "\n  ".join([f"{folder.root} has {len(problems)} problem(s):", *problems[:most], *rest])


def _short(split: str, found: int, about: Mapping[str, Any]) -> list[str]:
    """A tokenworld that was stopped while it was written."""
    promised = about.get(split, found)
    return [f"split {split} holds {found} of {promised} images; write it again to complete it"] * (found < promised)


def _class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    names = numbered(classes) if isinstance(classes, int) else classes
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise DataError(f"classes must be a number or a list of names, got {classes!r}")
    if len(names) > MOST_CLASSES or len(set(names)) < len(names) or (isinstance(classes, int) and classes < 1):
        raise DataError(f"classes must be 2 to {MOST_CLASSES} different names, got {shown(classes)}")
    if len(names) == 1:
        raise DataError(f"classes must be 2 to {MOST_CLASSES} different names, got {shown(classes)}; {ONE_CLASS}")
    return tuple(names)
