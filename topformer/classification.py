"""The classification network of a design: what is pre-trained on ImageNet before segmentation.

The published sources give the head in part, so that this is what each of them says:

- The authors: the injection is removed and "a Linear layer on the top of the Transformer block" is added
  (github.com/hustvl/TopFormer, issue 17); the head is a "Linear-BN layer" (issue 5).
- PaddleViT (github.com/BR-IDL/PaddleViT, image_classification/TopFormer, commit 9c2bb40) loads the released ImageNet
  checkpoints strictly, by the names `head.bn` and `head.l`, pools to 1/32 instead of 1/64 (`C2T_STRIDE: 1`), averages
  over the grid, normalises, classifies, and reports 65.98 / 72.44 / 75.25 % top-1 for Tiny, Small and Base, where the
  files' names say 66.2 / 72.3 / 75.3.

Inferred, for no source says it of TopFormer: dropout, where a recipe asks for it, stands before the BatchNorm, as in
public successors whose heads name their parts `bn` and `l` too. The pooling stride has no weights, so that a network
trained at 1/32 is used at 1/64. Attention starts as for segmentation.

Module paths: `backbone` as in `topformer.network` without `injection`, and `classifier.norm`, `classifier.linear`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor, nn

from topformer.bounds import CLASSES
from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.layers import check_probability
from topformer.network import Trunk
from topformer.schema import check
from topformer.weights.released import released_modules

POOL_STRIDE = 32
"""Reduction of the pooled grid in the classification network."""

_HEAD = {"classifier.norm": "head.bn", "classifier.linear": "head.l"}
"""Our path of each module of the head to its released one."""


class ClassificationHead(nn.Module):
    """Dropout, BatchNorm and a linear layer on averaged semantics."""

    def __init__(self, channels: int, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.BatchNorm1d(channels)
        self.linear = nn.Linear(channels, classes)
        # As the release starts linear layers.
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, semantics_BC: Tensor) -> Tensor:
        """(B, classes) from (B, C)."""
        logits_BK: Tensor = self.linear(self.norm(self.dropout(semantics_BC)))
        return logits_BK


class TopFormerClassifier(nn.Module):
    """Token pyramid, semantics extractor, average over the pooled grid, classifier.

    Args:
        design: The network; injection, segmentation head and `pool_stride` are not used.
        classes: Number of classes.
        drop_path: Stochastic depth of the last extractor block; it grows linearly from 0 at the first.
        dropout: Probability with which a channel is dropped before the head.
        pool_stride: Reduction of the pooled grid.

    Raises:
        InputError: `drop_path` or `dropout` is outside [0, 1).
        DesignError: `classes` is not positive, or `pool_stride` is impossible.
    """

    def __init__(
        self,
        design: Design,
        *,
        classes: int = 1000,
        drop_path: float = 0.1,
        dropout: float = 0.0,
        pool_stride: int = POOL_STRIDE,
    ) -> None:
        super().__init__()
        check("classes", classes, CLASSES)
        check_probability("dropout", dropout)
        self.design = replace(design, pool_stride=pool_stride)
        self.backbone = Trunk(self.design, drop_path=drop_path)
        self.classifier = ClassificationHead(design.embedding, classes, dropout=dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, 3, H, W)."""
        semantics_BChw = self.backbone.semantics(self.backbone.pyramid(image))
        logits_BK: Tensor = self.classifier(semantics_BChw.mean(dim=(2, 3)))
        return logits_BK


def released_state(state: Mapping[str, Tensor], design: Design) -> dict[str, Tensor]:
    """The state dict of a `TopFormerClassifier` under the names of the released ImageNet checkpoints.

    A design with parts that were never released, such as another extractor, keeps our names. `load_released` and
    `experiments.training.weights` read both.

    Args:
        state: Names and tensors.
        design: The network that they belong to.
    """
    try:
        names = dict(_paths(design))
    except CheckpointError:
        return dict(state)
    parts = ((name.rpartition("."), value) for name, value in state.items())
    return {f"{names[path]}.{leaf}": value for (path, _, leaf), value in parts}


def _paths(design: Design) -> Iterator[tuple[str, str]]:
    """Our path and the released one of every module with tensors; a backbone of its own has no prefix there."""
    yield from _HEAD.items()
    for ours, released in released_modules(design):
        yield ours, released.removeprefix("backbone.")
