"""The lean loop's data: a split decoded once, stacked where all images have one size, else as one row of pixels."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from experiments.data.folders import Pair, SegmentationFolder
from experiments.data.images import size_of
from experiments.training.lean.batches import Pixels
from experiments.training.lean.pixels import Mixed, Sizes
from topformer.errors import DataError, StorageError
from topformer.files import read_object, write_json

Bytes = NDArray[np.uint8]

PART = 64
"""Images that are decoded between two notes of how far a file is."""

_THREADS = 4
_DECODER = 2
"""Raised when the same files give other pixels, so that files decoded before are not taken."""


def read_sizes(pairs: Sequence[Pair]) -> Sizes:
    """Heights and widths of the pairs, from the heads of the labels: an image is as large as its label, or refused.

    Raises:
        DataError: A file cannot be read.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found = np.array(list(pool.map(lambda pair: size_of(pair.label), pairs)), np.int64).reshape(-1, 2)
    return Sizes(found[:, 0], found[:, 1])


def load_pixels(
    folder: SegmentationFolder,
    split: str,
    device: torch.device,
    cache: Path | None = None,
    sizes: Sizes | None = None,
) -> Pixels:
    """Decode a split of images of one size, or map the file where it has been decoded before.

    Args:
        folder: The data set.
        split: Name of the split.
        device: Where the pixels go.
        cache: As for `load_mixed`.
        sizes: Those of the split, where they are known.

    Raises:
        DataError: The split is empty, its sizes differ, a file is missing or broken, a label is no class, or the
            pixels take more than half of the free memory.
        StorageError: The file cannot be written.
    """
    pairs = folder.pairs(split)
    sizes = sizes or read_sizes(pairs)
    if not sizes.equal:
        raise DataError(f"the images of {split} in {folder.root} must all have one size to be stacked")
    shape = (len(pairs), int(sizes.heights[0]), int(sizes.widths[0]))
    border = 3 * int(np.prod(shape))

    def stacks(pixels: Bytes) -> tuple[Bytes, Bytes]:
        """The images (N, H, W, 3), then the labels (N, H, W)."""
        return pixels[:border].reshape(*shape, 3), pixels[border:].reshape(shape)

    def decode(number: int, pixels: Bytes) -> None:
        images, labels = stacks(pixels)
        images[number], labels[number] = folder.read(pairs[number])

    images, labels = stacks(_pixels(folder, split, cache, "-stacked", sizes, decode))
    return Pixels(images=torch.from_numpy(images).to(device), labels=torch.from_numpy(labels).to(device))


def load_mixed(
    folder: SegmentationFolder,
    split: str,
    device: torch.device,
    cache: Path | None = None,
    sizes: Sizes | None = None,
) -> Mixed:
    """Decode a split, or map the file where it has been decoded before.

    Args:
        folder: The data set.
        split: Name of the split.
        device: Where the pixels go; on the CPU a file stays a file and is read as it is needed.
        cache: Folder of decoded files, whose pages the processes of one machine share; none keeps the pixels in the
            memory of this one. A build that was stopped goes on.
        sizes: Those of the split, where they are known.

    Raises:
        DataError: A file is missing or broken, a label is no class or of another size than its image, or the pixels
            take more than half of the free memory.
        StorageError: The file cannot be written.
    """
    pairs = folder.pairs(split)
    sizes = sizes or read_sizes(pairs)
    starts = sizes.starts

    def decode(number: int, pixels: Bytes) -> None:
        image, targets = folder.read(pairs[number])
        place = pixels[4 * int(starts[number]) :][: 4 * targets.size].reshape(-1, 4)
        place[:, :3], place[:, 3] = image.reshape(-1, 3), targets.reshape(-1)

    found = torch.from_numpy(_pixels(folder, split, cache, "", sizes, decode)).view(torch.int32)
    return Mixed(pixels=found.to(device), heights=sizes.heights, widths=sizes.widths)


def _pixels(
    folder: SegmentationFolder,
    split: str,
    cache: Path | None,
    layout: str,
    sizes: Sizes,
    decode: Callable[[int, Bytes], None],
) -> Bytes:
    """Four bytes for each pixel of a split, as `decode` writes those of an image."""
    if cache is not None:
        stem = cache / f"{folder.name}-{split}-{_digest(folder, split)}{layout}"
        return _mapped(stem, 4 * sizes.total, len(sizes), decode)
    _check_memory(folder, split, 4 * sizes.total)
    pixels = np.empty(4 * sizes.total, np.uint8)
    _in_threads(lambda number: decode(number, pixels), range(len(sizes)))
    return pixels


def _mapped(stem: Path, size: int, count: int, decode: Callable[[int, Bytes], None]) -> Bytes:
    """The decoded file of `size` bytes; how many of its images are done stands beside it."""
    data, note = stem.with_suffix(".bin"), stem.with_suffix(".json")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        with _alone(stem.with_suffix(".lock")):
            done = read_object(note)["done"] if note.exists() and data.exists() else 0
            pixels = np.memmap(data, np.uint8, "r+" if done else "w+", shape=(size,))
            for first in range(done, count, PART):
                part = range(first, min(first + PART, count))
                _in_threads(lambda number: decode(number, pixels), part)
                # What is noted is on the disk.
                pixels.flush()
                write_json(note, {"done": part.stop})
    except (OSError, ValueError, KeyError, TypeError, StorageError) as error:
        raise StorageError(f"{data} cannot be written or read: {error}; remove it to start again") from error
    # Copy on write: torch wants memory that it may write to.
    return np.memmap(data, np.uint8, "c", shape=(size,))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is in such a block: two trainings may share a cache."""
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(folder: SegmentationFolder, split: str) -> str:
    """Known by names, sizes and times of the files, by what a label means, and by how they are decoded."""
    digest = hashlib.sha256(f"{_DECODER} {folder.ignore} {folder.num_classes}".encode())
    for pair in folder.pairs(split):
        for path in (pair.image, pair.label):
            about = path.stat()
            digest.update(f"{path.relative_to(folder.root)} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _in_threads(work: Callable[[int], None], numbers: Sequence[int]) -> None:
    """Do a piece of work for each number; the first error ends it."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(work, numbers):
            pass


def _check_memory(folder: SegmentationFolder, split: str, needed: int) -> None:
    free = psutil.virtual_memory().available
    if needed > free // 2:
        raise DataError(
            f"split {split} of {folder.root} takes {needed / 2**30:.1f} GiB decoded, more than half of the "
            f"{free / 2**30:.1f} GiB of free memory; name a folder for a cache on disk"
        )
