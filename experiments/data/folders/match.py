"""Images and their labels: matched by name, in plain folders and in the layouts of the known data sets."""

from dataclasses import dataclass
from pathlib import Path

from experiments.data.folders.known import KnownSet, KnownSplit
from experiments.data.listing import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    accepted,
    files,
    folders,
    names_listed,
    others,
    visible,
    visible_below,
)

IMAGES, ANNOTATIONS = "images", "annotations"


@dataclass(frozen=True, slots=True)
class Pair:
    """An image file and its label file."""

    image: Path
    label: Path


def find_pairs(root: Path, split: str, known: KnownSet | None) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs of a split, sorted by name or as its list has them, and a sentence for each missing file.

    Raises:
        DataError: The split's list cannot be read.
    """
    return _match_plain(root, split) if known is None or known.plain else _match_known(root, known, split)


def _match_plain(root: Path, split: str) -> tuple[tuple[Pair, ...], list[str]]:
    images, problems = _by_stem(root / IMAGES / split, IMAGE_SUFFIXES, "images")
    labels, more = _by_stem(root / ANNOTATIONS / split, LABEL_SUFFIXES, "labels")
    problems += more
    if not images and not labels and not problems:
        return (), [f"split {split} is empty: no image in {root / IMAGES / split}{_inner(root / IMAGES / split)}"]
    pairs, missing = _joined(images, labels)
    return pairs, problems + missing


def _by_stem(folder: Path, suffixes: tuple[str, ...], kind: str) -> tuple[dict[str, Path], list[str]]:
    """Files by name without ending, sorted; sentences for a name that two share, and for endings that are not read."""
    found: dict[str, Path] = {}
    problems = []
    for stem, path in sorted((path.stem, path) for path in files(folder, suffixes)):
        if stem in found:
            problems.append(f"{path} and {found[stem].name} share one name")
        found.setdefault(stem, path)
    if left := [path.name for path in others(folder, suffixes) if path.stem not in found]:
        problems.append(f"{folder} holds {_some(left)}, whose ending is not read; {kind} {accepted(suffixes)}")
    return found, problems


def _inner(folder: Path) -> str:
    """What an empty split may hold its images in."""
    inside = [path.name for path in folders(folder)]
    return f"; it holds the folder(s) {_some(inside)}, and only files directly in it count" if inside else ""


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def unread_folders(root: Path, split: str, known: KnownSet | None) -> list[Path]:
    """Folders inside those of a split, which are not looked into."""
    if known and known.nested:
        return []
    about = known.splits[split] if known else None
    places = (about.images, about.labels) if about else (f"{IMAGES}/{split}", f"{ANNOTATIONS}/{split}")
    return [inside for place in dict.fromkeys(places) for inside in folders(root / place)]


def _match_known(root: Path, known: KnownSet, split: str) -> tuple[tuple[Pair, ...], list[str]]:
    about = known.splits[split]
    there = _by_suffix(root / about.images, known.image_suffix, known)
    labels = _by_suffix(root / about.labels, known.label_suffix, known)
    listed = _listed(root, known, about)
    # A listed image that is not there keeps its place, and is named below.
    images = there if listed is None else {name: there.get(name, _place(root, known, about, name)) for name in listed}
    if not images:
        place = about.listed or f"{about.images}/*{known.image_suffix}"
        return (), [f"split {split} is empty: no image in {root / place}"]
    if not labels:
        return (), [f"{root / about.labels} has no label *{known.label_suffix}{_make(known, root)}"]
    if listed is not None:
        labels = {name: path for name, path in labels.items() if name in images}
    pairs, problems = _joined(images, labels)
    return pairs, [*problems, *(f"{path} does not exist" for name, path in images.items() if name not in there)]


def _make(known: KnownSet, root: Path) -> str:
    return f"; make them with: topformer data convert {known.conversion} {root} --out {root}" if known.converted else ""


def _listed(root: Path, known: KnownSet, about: KnownSplit) -> list[str] | None:
    return names_listed(root / about.listed, _make(known, root)) if about.listed else None


def _place(root: Path, known: KnownSet, about: KnownSplit, name: str) -> Path:
    return root / about.images / f"{name}{known.image_suffix}"


def _by_suffix(folder: Path, suffix: str, known: KnownSet) -> dict[str, Path]:
    """Files by relative name without suffix, which is told apart in any case; sorted."""
    there = visible_below(folder) if known.nested else visible(folder)
    found = [path for path in there if path.name.lower().endswith(suffix.lower())]
    names = [path.relative_to(folder).as_posix() if known.nested else path.name for path in found]
    return {name[: -len(suffix)]: path for name, path in zip(names, found, strict=True)}


def _joined(images: dict[str, Path], labels: dict[str, Path]) -> tuple[tuple[Pair, ...], list[str]]:
    problems = [f"{images[name]} has no label image" for name in sorted(images.keys() - labels.keys())]
    problems += [f"{labels[name]} has no image" for name in sorted(labels.keys() - images.keys())]
    return tuple(Pair(images[name], labels[name]) for name in images if name in labels), problems
