"""Every random draw of a training as a function of its seed and place, so that a resumed training goes on exactly.

mmengine's checkpoints hold no state of a generator, and a state would not do: the processes that load data run ahead by
a number of images that nobody knows. So no draw here hangs on what was drawn before it:

- the order of the images is one permutation per epoch, of (seed, epoch);
- the augmentation of an image is drawn from (seed, its place in the endless order), in whichever process it is loaded;
- dropout and stochastic depth of an iteration are drawn from (seed, iteration, rank).

The images of an iteration and their augmentation are therefore the same however many processes load or share them.
"""

import random
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler

from topformer.errors import ExplorerError
from topformer.mmseg import quiet

with quiet():
    from mmengine.dist import get_dist_info
    from mmengine.hooks import Hook
    from mmengine.registry import DATA_SAMPLERS, HOOKS

_ORDER, _AUGMENTATION, _UPDATE = 1, 2, 3
"""First numbers of the seeds of three independent streams."""


class Draw(NamedTuple):
    """One use of an image in a training.

    Attributes:
        image: Its number in the data set.
        seed: Of the training.
        place: In the endless order, over all processes, from 0.
    """

    image: int
    seed: int
    place: int


def reseed(*entropy: int) -> None:
    """Set the generators of Python, numpy and torch, from which mmcv's transforms and torch's layers draw."""
    words = np.random.SeedSequence(entropy).generate_state(6)
    np.random.seed(words[:4])  # noqa: NPY002
    random.seed(int(words[4]))
    torch.manual_seed(int(words[5]))


def reseed_augmentation(draw: Draw) -> None:
    """Set the generators for the augmentation of one use of an image."""
    reseed(_AUGMENTATION, draw.seed, draw.place)


@DATA_SAMPLERS.register_module()
class EndlessSampler(Sampler[Draw]):
    """Draws without end: every image once per epoch, in an order of the epoch's own, dealt out to the processes.

    Args:
        dataset: What has the images.
        seed: Of order and augmentation, the same in all processes.
        shuffle: Whether the order is random.
    """

    def __init__(self, dataset: Sized, seed: int, *, shuffle: bool = True) -> None:
        self.size, self.seed, self.shuffle = len(dataset), seed, shuffle
        self.rank, self.world_size = get_dist_info()
        self.first = 0

    def skip(self, draws: int) -> None:
        """Begin behind this many draws of this process; mmengine calls it when a training is resumed."""
        self.first = draws

    def __iter__(self) -> Iterator[Draw]:
        epoch, order = -1, np.empty(0, np.int64)
        for place in count(self.first * self.world_size + self.rank, self.world_size):
            if epoch != place // self.size:
                epoch = place // self.size
                order = self.order(epoch)
            yield Draw(int(order[place % self.size]), self.seed, place)

    def order(self, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Numbers of the images in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.size)
        return np.random.default_rng([_ORDER, self.seed, epoch]).permutation(self.size)

    def __len__(self) -> int:
        """Images of an epoch."""
        return self.size


@HOOKS.register_module()
class ReseedHook(Hook):  # type: ignore[misc]
    """Draws the dropout and stochastic depth of each iteration from the seed, the iteration and the process."""

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Reseed for one iteration."""
        reseed(_UPDATE, runner.seed, batch_idx, runner.rank)


@contextmanager
def without_trace() -> Iterator[None]:
    """Errors of a process that loads data, without the traceback that torch puts before their message."""
    try:
        yield
    except ExplorerError as error:
        said, kind = str(error), type(error)
        if "in DataLoader worker process" not in said:
            raise
        raise kind(said.rpartition(f"{kind.__name__}: ")[2].strip()) from error
