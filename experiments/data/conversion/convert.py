"""Makes what is trained on of COCO-Stuff, PASCAL Context, Cityscapes and CamVid as they are downloaded.

Every file is written in one step, and what is there already is left alone: a conversion that was stopped goes on when
it is started again, and several may work on one folder. Nothing waits for the disk after each of its up to 123,287
files; what a power cut breaks is made again where it is empty, and named by `topformer data check` where it is not.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy.typing as npt
from PIL import Image

from experiments.data.conversion import tables as convert_tables
from experiments.data.conversion.read import DetailImage, read_detail, read_mat
from experiments.data.folders.known import KNOWN, TRAINING, VALIDATION, KnownSet
from experiments.data.images import read_label
from experiments.data.listing import files, names_listed, visible_below
from experiments.files import make_folder
from topformer.errors import DataError, unknown_name
from topformer.files import replacing, write_text

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One label file to make, and the image that goes with it.

    Attributes:
        origin: The file that the label comes from.
        read: Gives the label's old numbers.
        table: New number of each old one.
        label: The file to write.
        image: The image.
        placed: Where the image belongs.
    """

    origin: Path
    read: Callable[[], npt.NDArray[Any]]
    table: Mapping[int, int]
    label: Path
    image: Path
    placed: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All files of a conversion: the labels, and lists of names by file, one name per line, which are written last."""

    jobs: tuple[Job, ...]
    lists: Mapping[Path, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a conversion did: label files made now, and those that were there."""

    made: int
    kept: int


def convert(
    name: str,
    source: Path,
    out: Path,
    *,
    workers: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Convert a data set.

    Images are linked where the file system can, else copied; nothing in `source` is changed.

    Args:
        name: One of `CONVERSIONS`.
        source: The folder with the unpacked downloads.
        out: The folder to write, which may be `source`.
        workers: Threads.
        progress: Called with the files done and all of them.

    Raises:
        DataError: There is no such conversion, files are missing, or one cannot be read; its name is in the message.
        StorageError: A file cannot be written.
    """
    if name not in CONVERSIONS:
        raise DataError(unknown_name("conversion", name, CONVERSIONS))
    if workers < 1:
        raise DataError(f"workers must be at least 1, got {workers!r}")
    known = _known(name)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; {known.expected()}")
    plan = CONVERSIONS[name](source, out)
    if not plan.jobs:
        raise DataError(f"{source} holds no original annotations of {name}; {known.expected()}")
    todo = [job for job in plan.jobs if not (_whole(job.label) and _whole(job.placed))]
    _check_files(source, todo)
    done = len(plan.jobs) - len(todo)
    pool = ThreadPoolExecutor(workers)
    try:
        for _ in pool.map(_work, todo):
            done += 1
            if progress:
                progress(done, len(plan.jobs))
    finally:
        pool.shutdown(cancel_futures=True)
    for path, names in plan.lists.items():
        write_text(path, "".join(f"{name}\n" for name in names))
    return Converted(made=len(todo), kept=len(plan.jobs) - len(todo))


def _whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _known(name: str) -> KnownSet:
    return next(item for item in KNOWN.values() if item.conversion == name)


def _check_files(source: Path, jobs: Iterable[Job]) -> None:
    absent = [path for job in jobs for path in (job.origin, job.image) if not path.is_file()]
    if absent:
        more = [f"and {len(absent) - _LISTED} more"] if len(absent) > _LISTED else []
        raise DataError("\n  ".join([f"{source} lacks {len(absent)} file(s):", *map(str, absent[:_LISTED]), *more]))


def _work(job: Job) -> None:
    labels = convert_tables.apply_table(job.table, job.read(), job.origin)
    _place(job.image, job.placed)
    make_folder(job.label.parent)
    with replacing(job.label, durable=False) as fresh:
        Image.fromarray(labels).save(fresh, format="PNG")


def _place(image: Path, placed: Path) -> None:
    if _whole(placed):
        return
    make_folder(placed.parent)
    with replacing(placed, durable=False) as fresh:
        try:
            os.link(image.resolve(), fresh)
        except OSError:
            shutil.copyfile(image, fresh)


def _coco_10k(source: Path, out: Path) -> Plan:
    """`imageLists/{train,test}.txt`, `images/NAME.jpg` and `annotations/NAME.mat` with the map `S`."""
    lists = {TRAINING: source / "imageLists" / "train.txt", VALIDATION: source / "imageLists" / "test.txt"}
    known = KNOWN["coco-stuff-10k"]
    jobs = []
    for split, path in lists.items():
        about = known.splits[split]
        for name in _names(path, known):
            mat = source / "annotations" / f"{name}.mat"
            jobs.append(
                Job(
                    origin=mat,
                    read=lambda mat=mat: read_mat(mat, "S"),  # type: ignore[misc]
                    table=convert_tables.COCO_STUFF_10K,
                    label=out / about.labels / f"{name}{known.label_suffix}",
                    image=source / "images" / f"{name}.jpg",
                    placed=out / about.images / f"{name}.jpg",
                )
            )
    return Plan(jobs=tuple(jobs), lists={})


def _coco_164k(source: Path, out: Path) -> Plan:
    """`annotations/{train,val}2017/NAME.png` beside `images/{train,val}2017/NAME.jpg`."""
    known = KNOWN["coco-stuff-164k"]
    return Plan(jobs=tuple(_label_images(known, source, out, ".png", convert_tables.COCO_STUFF_164K)), lists={})


def _cityscapes(source: Path, out: Path) -> Plan:
    """`gtFine/SPLIT/CITY/*_gtFine_labelIds.png` beside `leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`."""
    known = KNOWN["cityscapes"]
    jobs = _label_images(known, source, out, "_gtFine_labelIds.png", convert_tables.CITYSCAPES)
    return Plan(jobs=tuple(jobs), lists={})


def _label_images(known: KnownSet, source: Path, out: Path, suffix: str, table: Mapping[int, int]) -> Iterator[Job]:
    """Label images that keep their folders and get another suffix."""
    for about in known.splits.values():
        for path in visible_below(source / about.labels):
            if not path.name.endswith(suffix) or path.name.endswith(known.label_suffix):
                continue
            name = path.relative_to(source / about.labels).as_posix().removesuffix(suffix)
            image = f"{about.images}/{name}{known.image_suffix}"
            yield Job(
                origin=path,
                read=lambda path=path: read_label(path),  # type: ignore[misc]
                table=table,
                label=out / about.labels / f"{name}{known.label_suffix}",
                image=source / image,
                placed=out / image,
            )


def _camvid(source: Path, out: Path) -> Plan:
    """`{train,val}/NAME.png` beside `{train,val}annot/NAME.png`, as distributed with SegNet."""
    known = KNOWN["camvid"]
    jobs, lists = [], {}
    for split, folder in ((TRAINING, "train"), (VALIDATION, "val")):
        about = known.splits[split]
        for path in files(source / f"{folder}annot", (known.label_suffix,)):
            job = Job(
                origin=path,
                read=lambda path=path: read_label(path),  # type: ignore[misc]
                table=convert_tables.CAMVID,
                label=out / about.labels / path.name,
                image=source / folder / path.name,
                placed=out / about.images / path.name,
            )
            jobs.append(job)
    if jobs:
        lists = {out / known.marker: known.classes}
    return Plan(jobs=tuple(jobs), lists=lists)


def _context(source: Path, out: Path) -> Plan:
    """`trainval_merged.json`, else `trainval/NAME.mat` with the map `LabelMap`; beside `JPEGImages/NAME.jpg`."""
    path = source / "trainval_merged.json"
    if path.is_file():
        phases = {"train": TRAINING, "val": VALIDATION}
        images = [image for image in read_detail(path) if image.phase in phases]
        splits = {image.name: phases[image.phase] for image in images}
        regions = {image.name: image for image in images}
        reads = {name: (path, _detail(regions[name], path), convert_tables.CONTEXT_MERGED) for name in splits}
    elif (source / "trainval").is_dir():
        known = KNOWN["pascal-context-59"]
        lists = {TRAINING: source / "ImageSets/Main/train.txt", VALIDATION: source / "ImageSets/Main/val.txt"}
        splits = {name: split for split, listed in lists.items() for name in _names(listed, known)}
        reads = {name: _mat(source / "trainval" / f"{name}.mat") for name in splits}
    else:
        return Plan(jobs=(), lists={})
    return _context_plan(source, out, splits, reads)


_Read = tuple[Path, Callable[[], npt.NDArray[Any]], Mapping[int, int]]


def _detail(image: DetailImage, path: Path) -> Callable[[], npt.NDArray[Any]]:
    return lambda: image.labels(path)


def _mat(path: Path) -> _Read:
    return path, lambda: read_mat(path, "LabelMap"), convert_tables.CONTEXT_ALL


def _context_plan(source: Path, out: Path, splits: Mapping[str, str], reads: Mapping[str, _Read]) -> Plan:
    known = KNOWN["pascal-context-60"]
    jobs = [
        Job(
            origin=origin,
            read=read,
            table=table,
            label=out / known.splits[splits[name]].labels / f"{name}.png",
            image=source / "JPEGImages" / f"{name}.jpg",
            placed=out / known.splits[splits[name]].images / f"{name}.jpg",
        )
        for name, (origin, read, table) in reads.items()
    ]
    lists = {
        out / about.listed: tuple(sorted(name for name, of in splits.items() if of == split))
        for split, about in known.splits.items()
    }
    return Plan(jobs=tuple(jobs), lists=lists)


def _names(path: Path, known: KnownSet) -> list[str]:
    return names_listed(path, f"; {known.expected()}")


CONVERSIONS: Mapping[str, Callable[[Path, Path], Plan]] = MappingProxyType(
    {
        "coco-stuff-10k": _coco_10k,
        "coco-stuff-164k": _coco_164k,
        "pascal-context": _context,
        "cityscapes": _cityscapes,
        "camvid": _camvid,
    }
)
"""The conversions by name."""
