"""A network as it is deployed: its weights, and what it does behind the logits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from topformer.deployment.boundary import Boundary
from topformer.deployment.fold import fold_batch_norm
from topformer.design import SCALES, Design, Pooled
from topformer.extractor import Attention
from topformer.network import TopFormer
from topformer.weights.state import read_trained


class FullSize(nn.Module):
    """A network whose logits are resized, bilinear with `align_corners=False`.

    Args:
        network: Takes an image, gives logits (B, C, h, w).
        size: Height and width of the result in pixels; None for those of the image.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image: (B, C, height, width)."""
        height, width = self.size or image.shape[2:]
        return functional.interpolate(self.network(image), size=(height, width), mode="bilinear", align_corners=False)


class PixelClasses(FullSize):
    """A network that gives the class of every pixel; arguments as `FullSize`."""

    def forward(self, image: Tensor) -> Tensor:
        """Class numbers of an image, int64: (B, height, width)."""
        return super().forward(image).argmax(dim=1)


class RepeatedClasses(FullSize):
    """A network that gives every pixel the class of the logits' place that covers it; arguments as `FullSize`."""

    def forward(self, image: Tensor) -> Tensor:
        """Class numbers of an image, int64: (B, height, width)."""
        height, width = self.size or image.shape[2:]
        # Engines repeat real numbers; those of classes are exact in fp32.
        classes = self.network(image).argmax(dim=1, keepdim=True).float()
        return functional.interpolate(classes, size=(height, width), mode="nearest")[:, 0].long()


_ENDS: Mapping[Boundary, type[FullSize]] = MappingProxyType(
    {
        Boundary.UPSAMPLE: FullSize,
        Boundary.ARGMAX: PixelClasses,
        Boundary.ARGMAX_NEAREST: RepeatedClasses,
    }
)


class WindowPool(nn.Module):
    """What a `TokenPool` gives for images of multiples of its stride, by windows of fixed sides and not by a grid.

    Args:
        windows: Side of the window for each map.
    """

    def __init__(self, windows: Sequence[int]) -> None:
        super().__init__()
        self.windows = tuple(windows)

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """The last maps, as many as there are windows, averaged and concatenated."""
        chosen = tokens[-len(self.windows) :]
        return torch.cat([functional.avg_pool2d(x, side) for x, side in zip(chosen, self.windows, strict=True)], dim=1)


def deployed(
    design: Design,
    *,
    size: tuple[int, int] | None,
    boundary: Boundary,
    checkpoint: Path | None = None,
    seed: int = 0,
) -> nn.Module:
    """The network as it is exported: BatchNorm folded, in evaluation mode, with the end that the boundary asks for.

    Args:
        design: The network.
        size: Height and width of the images in pixels; None for all multiples of the design's `pool_stride`.
        boundary: Where it ends.
        checkpoint: Weights; without it they are random.
        seed: Of the random weights.

    Raises:
        CheckpointError: The checkpoint cannot be read or belongs to another design.
        ExplorerError: Folding changed the outputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TopFormer(design)
        if checkpoint is None:
            _settle(model)
    model.eval()
    if checkpoint is not None:
        model.load_state_dict(read_trained(checkpoint, design).state)
    network = fold_batch_norm(model)
    if size is None:
        scales = SCALES if design.pooled is Pooled.ALL else SCALES[-1:]
        network.get_submodule("backbone").pool = WindowPool([design.pool_stride // scale for scale in scales])
    if boundary is Boundary.LOGITS:
        return network
    return _ENDS[boundary](network, size).eval()


@torch.no_grad()
def _settle(model: TopFormer) -> None:
    """Bring random weights to where rounding does not decide the outputs, as training would.

    Every BatchNorm gets the statistics of random images, and attention a tenth of its weight in the sum: unscaled
    products of random queries and keys pick nearly one token, and which one hangs on the last bits. Untouched, torch
    itself is 0.07 to 0.2 % of the logits' deviation away from its own double precision (Tiny, Small, Base).
    """
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
        if isinstance(layer, Attention):
            nn.init.constant_(layer.project.norm.weight, 0.1)
    # Coarse patches, not white noise: averages of noise hardly vary, and dividing by that would magnify rounding.
    patches = functional.interpolate(torch.randn(8, 3, 8, 8), (256, 256), mode="bilinear", align_corners=False)
    model.train()(patches + 0.3 * torch.randn(8, 3, 256, 256))
