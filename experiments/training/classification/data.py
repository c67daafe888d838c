"""Batches of pre-training: item i of an epoch is a function of seed, epoch and i, whatever process makes it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from experiments.data.image_folder import TRAIN, VAL, ClassFolder, Example
from experiments.data.images import read_image
from experiments.training.classification.augment import training_pixels, validation_pixels
from experiments.training.classification.recipes import PretrainRecipe
from topformer.errors import DataError

_ORDER, _AUGMENTATION = 1, 2
"""First numbers of the seeds of two independent streams."""

_WAIT_SECONDS = 600
"""How long a worker may take for a batch before the training gives up on it."""

Item = tuple[int, int]
"""Epoch and number of an example."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (B, size, size, 3) uint8, class numbers (B,), and the files they come from."""

    images: Tensor
    labels: Tensor
    files: tuple[Path, ...]


class Images(Dataset[Any]):
    """Examples of a split, augmented for training or centred for validation; an error is returned, not raised.

    Raised in a worker, it would reach the user with the worker's traceback in its message.
    """

    def __init__(self, examples: Sequence[Example], recipe: PretrainRecipe, *, seed: int, augmented: bool) -> None:
        # Arrays of bytes, not a million objects: every worker gets a copy.
        self.files = np.array([os.fsencode(example.image) for example in examples])
        self.labels = np.array([example.label for example in examples])
        self.recipe, self.seed, self.augmented = recipe, seed, augmented

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, item: Item) -> tuple[NDArray[np.uint8], Example] | DataError:
        epoch, number = item
        example = Example(Path(os.fsdecode(self.files[number])), int(self.labels[number]))
        try:
            image = Image.fromarray(read_image(example.image))
        except DataError as error:
            return error
        if not self.augmented:
            return validation_pixels(image, self.recipe), example
        random = np.random.default_rng([_AUGMENTATION, self.seed, epoch, number])
        return training_pixels(image, self.recipe, random), example


class TrainingOrder(Sampler[list[Item]]):
    """The batches of one process from an iteration on: every image once per epoch, the incomplete last batch left out.

    Args:
        count: Training images.
        batch: Images per iteration, over all processes.
        seed: Of the order.
        start: Iterations that are done already.
        stop: Iterations in all.
        rank: Number of this process.
        world: Number of processes.
    """

    def __init__(
        self, count: int, batch: int, *, seed: int, start: int, stop: int, rank: int = 0, world: int = 1
    ) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self.start, self.stop, self.rank, self.world = start, stop, rank, world

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Item]]:
        per_epoch = self.count // self.batch
        epoch, order = -1, np.empty(0, np.int64)
        for iteration in range(self.start, self.stop):
            if iteration // per_epoch != epoch:
                epoch = iteration // per_epoch
                order = np.random.default_rng([_ORDER, self.seed, epoch]).permutation(self.count)
            first = iteration % per_epoch * self.batch + self.rank
            yield [(epoch, int(i)) for i in order[first : first + self.batch - self.rank : self.world]]


def collated(items: Sequence[tuple[NDArray[np.uint8], Example] | DataError]) -> Batch | DataError:
    """A batch of items, or the first error among them."""
    good = [item for item in items if not isinstance(item, DataError)]
    if len(good) < len(items):
        return next(item for item in items if isinstance(item, DataError))
    return Batch(
        images=torch.from_numpy(np.stack([pixels for pixels, _ in good])),
        labels=torch.tensor([example.label for _, example in good]),
        files=tuple(example.image for _, example in good),
    )


def training_batches(
    folder: ClassFolder, recipe: PretrainRecipe, order: TrainingOrder, *, workers: int
) -> Iterator[Batch]:
    """Batches of one process, in order.

    Raises:
        DataError: An image cannot be read.
    """
    images = Images(folder.splits[TRAIN], recipe, seed=order.seed, augmented=True)
    yield from _loaded(images, order, workers)


def validation_batches(
    folder: ClassFolder, recipe: PretrainRecipe, *, size: int, workers: int, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """This process's share of the validation images, in batches of up to `size`.

    Raises:
        DataError: An image cannot be read.
    """
    examples = folder.splits[VAL][rank::world]
    numbers = range(len(examples))
    batches = [[(0, i) for i in numbers[start : start + size]] for start in range(0, len(examples), size)]
    yield from _loaded(Images(examples, recipe, seed=0, augmented=False), batches, workers)


def _loaded(images: Images, batches: Any, workers: int) -> Iterator[Batch]:
    loader = DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collated,
        pin_memory=False,
        timeout=_WAIT_SECONDS if workers else 0,
        # Forked workers of a process with threads may hang; these start afresh.
        multiprocessing_context="forkserver" if workers else None,
        # Nothing is drawn from torch's generator: it belongs to the network.
        generator=torch.Generator(),
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch
