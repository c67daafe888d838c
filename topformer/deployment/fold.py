"""Deployment form of a trained network: every BatchNorm folded into its convolution, checked against the original."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from topformer.errors import ExplorerError, InputError
from topformer.layers import ConvUnit

TOLERANCE = 1e-5
"""Largest difference between the folded and the trained network, as a share of the largest output."""

_CHECKED_SIZE = (2, 3, 96, 160)


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy of a trained network for inference, without BatchNorm.

    The copy is in evaluation mode, needs no gradients, and keeps the paths of all convolutions; units lose their
    `norm` and their `conv` gains a bias. Folding and its check on a random image are done in double precision, so
    that the check sees the folding and nothing else; the result is then rounded to the model's precision.

    Args:
        model: A `TopFormer`, its backbone, or another module that takes an image and whose BatchNorms stand in
            units; it is not changed.

    Returns:
        The folded copy, on the device and in the precision of the model.

    Raises:
        InputError: The model has a BatchNorm outside a unit.
        ExplorerError: The outputs differ by more than `TOLERANCE`, for instance after a training that diverged.
    """
    home = next(model.parameters())
    trained = deepcopy(model).eval().requires_grad_(False).cpu().double()
    folded = deepcopy(trained)
    _fold(folded)
    difference = _difference(trained, folded)
    if not difference <= TOLERANCE:  # also true for a difference that is not a number
        raise ExplorerError(
            f"the folded network differs from the trained one by {difference:.1e} of the largest output, more than "
            f"{TOLERANCE:.0e}; its weights or BatchNorm statistics are extreme or not finite"
        )
    return folded.to(home.device, home.dtype)


def _fold(model: nn.Module) -> None:
    for unit in model.modules():
        if isinstance(unit, ConvUnit):
            unit.conv = fuse_conv_bn_eval(unit.conv, unit.norm)
            del unit.norm
    left = [path for path, part in model.named_modules() if isinstance(part, _BatchNorm)]
    if left:
        raise InputError(f"BatchNorm is folded in convolution units only, and stands outside them at {', '.join(left)}")


def _difference(trained: nn.Module, folded: nn.Module) -> float:
    image = torch.randn(_CHECKED_SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.inference_mode():
        expected, actual = _maps(trained(image)), _maps(folded(image))
    # Tensor maxima, for they keep a value that is not a number where Python's max may lose it.
    largest = float(torch.stack([a.abs().max() for a in expected]).max())
    difference = float(torch.stack([(a - b).abs().max() for a, b in zip(expected, actual, strict=True)]).max())
    return difference / largest if largest else difference


def _maps(outputs: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else outputs
