"""Images and their labels: matched by name, in plain folders and in the layouts of the known data sets."""

from dataclasses import dataclass
from pathlib import Path

from experiments.data.folders.known import KnownSet, KnownSplit
from topformer.errors import DataError

IMAGES, ANNOTATIONS = "images", "annotations"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
LABEL_SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class Pair:
    """An image file and its label file."""

    image: Path
    label: Path


def match_plain(root: Path, split: str) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs of a split in ADE20K layout, sorted by name, and a sentence for each file that lacks another."""
    images, problems = _by_stem(root / IMAGES / split, IMAGE_SUFFIXES)
    labels, _ = _by_stem(root / ANNOTATIONS / split, (LABEL_SUFFIX,))
    pairs, missing = _joined(images, labels)
    problems += missing
    if not images and not labels:
        problems.append(f"split {split} is empty: no image in {root / IMAGES / split}")
    return pairs, problems


def match_known(root: Path, known: KnownSet, split: str) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs of a split of a known data set, in mmsegmentation's order, and a sentence for each missing file.

    Raises:
        DataError: The split's list cannot be read.
    """
    about = known.splits[split]
    listed = _listed(root / about.listed, known, about, root) if about.listed else None
    images = listed if listed is not None else _by_suffix(root / about.images, known.image_suffix)
    labels = _by_suffix(root / about.labels, known.label_suffix)
    if not images:
        place = about.listed or f"{about.images}/*{known.image_suffix}"
        return (), [f"split {split} is empty: no image in {root / place}"]
    if not labels:
        return (), [f"{root / about.labels} has no label *{known.label_suffix}{_make(known, root)}"]
    if listed is not None:
        labels = {name: path for name, path in labels.items() if name in listed}
    pairs, problems = _joined(images, labels)
    return pairs, [*problems, *(f"{path} does not exist" for path in images.values() if not path.is_file())]


def _make(known: KnownSet, root: Path) -> str:
    return f"; make them with: topformer data convert {known.conversion} {root} --out {root}" if known.converted else ""


def _listed(path: Path, known: KnownSet, about: KnownSplit, root: Path) -> dict[str, Path]:
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}{_make(known, root)}") from None
    return {name: root / about.images / f"{name}{known.image_suffix}" for name in lines}


def _by_suffix(folder: Path, suffix: str) -> dict[str, Path]:
    """Files in a folder and below by relative name without suffix, sorted."""
    found = (path for path in folder.rglob(f"*{suffix}") if not path.name.startswith("."))
    return {path.relative_to(folder).as_posix().removesuffix(suffix): path for path in sorted(found)}


def _joined(images: dict[str, Path], labels: dict[str, Path]) -> tuple[tuple[Pair, ...], list[str]]:
    problems = [f"{images[name]} has no label image" for name in sorted(images.keys() - labels.keys())]
    problems += [f"{labels[name]} has no image" for name in sorted(labels.keys() - images.keys())]
    return tuple(Pair(images[name], labels[name]) for name in images if name in labels), problems


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
    """Files by name without suffix, sorted, and a sentence for each name that two files share."""
    found: dict[str, Path] = {}
    twice = []
    for path in sorted(folder.glob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                twice.append(f"{path} and {found[path.stem].name} share one name")
            found.setdefault(path.stem, path)
    return dict(sorted(found.items())), twice
