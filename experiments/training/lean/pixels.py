"""A split of images that differ in size, decoded once: one row of pixels in memory, or in a file that is mapped."""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.data.folders import IGNORED, Pair, SegmentationFolder, read_image, read_label
from experiments.training.lean.resize import Numbers
from experiments.training.outcome import write_json
from topformer.errors import DataError, StorageError

_THREADS = 4
_PART = 64
"""Images that are decoded between two notes of how far a file is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A split whose images may differ in size; image i starts at pixel `starts[i]` and goes row by row.

    Attributes:
        pixels: (T,) int32; the bytes of a pixel are red, green, blue and its class number, 255 = ignored.
        heights: (N,) heights.
        widths: (N,) widths.
    """

    pixels: Tensor
    heights: Numbers
    widths: Numbers

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def starts(self) -> Numbers:
        """(N,) first pixels."""
        return np.concatenate([[0], np.cumsum(self.heights * self.widths)[:-1]])

    def image(self, number: int) -> tuple[Tensor, Tensor]:
        """Image (H, W, 3) and labels (H, W) of one number, uint8."""
        start, height, width = (int(values[number]) for values in (self.starts, self.heights, self.widths))
        whole = self.pixels[start : start + height * width].view(torch.uint8).view(height, width, 4)
        return whole[..., :3], whole[..., 3]


def sizes(pairs: Sequence[Pair]) -> tuple[Numbers, Numbers]:
    """Heights and widths of images, from the heads of their files.

    Raises:
        DataError: A file cannot be read.
    """

    def size(pair: Pair) -> tuple[int, int]:
        try:
            with Image.open(pair.image) as image:
                return image.height, image.width
        except (OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{pair.image} cannot be read: {error}") from None

    with ThreadPoolExecutor(_THREADS) as pool:
        found = np.array(list(pool.map(size, pairs)), np.int64)
    return found[:, 0], found[:, 1]


def load_mixed(folder: SegmentationFolder, split: str, device: torch.device, cache: Path | None = None) -> Mixed:
    """Decode a split, or map the file where it has been decoded before.

    Args:
        folder: The data set.
        split: Name of the split.
        device: Where the pixels go; on the CPU a file stays a file and is read as it is needed.
        cache: Folder of decoded files; none keeps the pixels in memory. A build that was stopped goes on.

    Raises:
        DataError: A file is missing or broken, a label is no class or of another size than its image, or the pixels
            take more than half of the free memory.
        StorageError: The file cannot be written.
    """
    pairs = folder.pairs(split)
    heights, widths = sizes(pairs)
    total = int((heights * widths).sum())
    if cache is None:
        _check_memory(folder, split, 4 * total)
        pixels = np.empty((total, 4), np.uint8)
        _decode(folder, split, pixels, heights, widths, range(len(pairs)))
    else:
        pixels = _mapped(folder, split, cache, heights, widths)
    found = torch.from_numpy(pixels).view(torch.int32).view(total)
    return Mixed(pixels=found.to(device), heights=heights, widths=widths)


def _mapped(
    folder: SegmentationFolder, split: str, cache: Path, heights: Numbers, widths: Numbers
) -> NDArray[np.uint8]:
    """The decoded file; how many of its images are done stands beside it."""
    stem = cache / f"{folder.name}-{split}-{_digest(folder, split)}"
    data, note = stem.with_suffix(".bin"), stem.with_suffix(".json")
    shape, count = (int((heights * widths).sum()), 4), len(heights)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(stem.with_suffix(".lock")):
            done = json.loads(note.read_text(encoding="ascii"))["done"] if note.exists() and data.exists() else 0
            pixels = np.memmap(data, np.uint8, "r+" if done else "w+", shape=shape)
            for first in range(done, count, _PART):
                part = range(first, min(first + _PART, count))
                _decode(folder, split, pixels, heights, widths, part)
                # What is noted is on the disk.
                pixels.flush()
                write_json(note, {"done": part.stop})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{data} cannot be written or read: {error}; remove it to start again") from error
    # Copy on write: torch wants memory that it may write to.
    return np.memmap(data, np.uint8, "c", shape=shape)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is in such a block: two trainings may share a cache."""
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(folder: SegmentationFolder, split: str) -> str:
    """Known by names, sizes and times of the files, and by what a label means."""
    digest = hashlib.sha256(str(folder.ignore).encode())
    for pair in folder.pairs(split):
        for path in (pair.image, pair.label):
            about = path.stat()
            digest.update(f"{path.relative_to(folder.root)} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _decode(
    folder: SegmentationFolder, split: str, pixels: NDArray[np.uint8], heights: Numbers, widths: Numbers, part: range
) -> None:
    """Write the images of these numbers to their places."""
    pairs = folder.pairs(split)
    ends = np.cumsum(heights * widths)

    def decode(number: int) -> None:
        image, label = read_image(pairs[number].image), read_label(pairs[number].label)
        if image.shape[:2] != label.shape:
            raise DataError(
                f"{pairs[number].label} is {label.shape[1]} x {label.shape[0]} px, "
                f"its image {image.shape[1]} x {image.shape[0]} px"
            )
        targets = folder.targets(label)
        largest = int(targets.max(initial=0, where=targets != IGNORED))
        if largest >= folder.num_classes:
            raise DataError(
                f"{pairs[number].label} has a label of class number {largest}; "
                f"the {folder.num_classes} classes of {folder.root} are numbered from 0"
            )
        place = slice(int(ends[number] - targets.size), int(ends[number]))
        pixels[place, :3], pixels[place, 3] = image.reshape(-1, 3), targets.reshape(-1)

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(decode, part):
            pass


def _check_memory(folder: SegmentationFolder, split: str, needed: int) -> None:
    free = psutil.virtual_memory().available
    if needed > free // 2:
        raise DataError(
            f"split {split} of {folder.root} takes {needed / 2**30:.1f} GiB decoded, more than half of the "
            f"{free / 2**30:.1f} GiB of free memory; name a folder for a cache on disk"
        )
