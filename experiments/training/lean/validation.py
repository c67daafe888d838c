"""The validation of the lean loop: the confusion matrix of a whole split."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from experiments.training.lean.batches import Pixels, normalised, resized
from experiments.training.lean.loss import upsampled
from experiments.training.lean.pixels import Mixed
from experiments.training.lean.resize import into, resized_bytes, to_multiple
from experiments.training.recipes import Recipe
from experiments.training.scores import Confusion, confusion
from topformer.errors import EvaluationError
from topformer.network import TopFormer


@torch.inference_mode()
def validate(network: TopFormer, split: Pixels | Mixed, recipe: Recipe, device: torch.device) -> Confusion:
    """Confusion matrix of a whole split, at the resolution of its labels.

    Stacked images are resized to the network's input, as they are trained, and taken in the recipe's batches; others
    as mmsegmentation does it: one by one, ratio kept, to multiples of the recipe's divisor.

    Args:
        network: In evaluation mode.
        split: The images.
        recipe: Its size, its batch, and how images are resized.
        device: Where the network is.

    Raises:
        EvaluationError: The network gives logits that are not finite.
    """
    classes = network.design.num_classes
    counts = np.zeros((classes, classes), np.int64)
    inputs = _whole(split, recipe, device) if isinstance(split, Mixed) else _stacked(split, recipe)
    for images, labels in inputs:
        predicted = _predicted(network, images, labels.shape[1:])
        counts = counts + confusion(labels.cpu().numpy(), predicted.cpu().numpy(), classes)
    return counts


def _stacked(split: Pixels, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(split), recipe.batch):
        part = slice(start, start + recipe.batch)
        yield resized(normalised(split.images[part]), *recipe.crop), split.labels[part]


def _whole(split: Mixed, recipe: Recipe, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for number in range(len(split)):
        image, labels = split.image(number)
        size = into(labels.shape[0], labels.shape[1], *recipe.evaluation_scale)
        # Twice, because mmsegmentation rounds to bytes in between.
        image = resized_bytes(resized_bytes(image, *size), *(to_multiple(n, recipe.size_divisor) for n in size))
        yield normalised(image[None]).to(device), labels[None]


def _predicted(network: TopFormer, inputs: Tensor, size: tuple[int, ...]) -> Tensor:
    logits = network(inputs)
    if not logits.isfinite().all():
        raise EvaluationError("the network gives logits that are not finite")
    # To the input size first, then to the label's, as mmsegmentation does it.
    whole = upsampled(upsampled(logits, (inputs.shape[2], inputs.shape[3])), (size[0], size[1]))
    # Not argmax, which names the same class and takes four times as long on a CPU core.
    return whole.max(dim=1).indices
