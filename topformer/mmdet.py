"""The door to mmdetection: our backbone as the source of a feature pyramid. Nothing else may import mmdetection.

A config uses it by `custom_imports = dict(imports=["topformer.mmdet"])` and the type `TopFormerFeatures`, with the
design as plain JSON (`topformer.codec.to_json`). mmdetection is an optional extra; docs/detection.md installs it.

As with `topformer.mmseg`, importing it makes mmengine read checkpoints as plain data only. Where mmcv has no compiled
operations, `topformer.mmcv_ops` takes their place.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import Tensor
from torch.nn import functional

from topformer import mmcv_ops
from topformer import optional_packages as extras
from topformer.codec import from_json
from topformer.design import Design
from topformer.errors import DesignError, StudyError
from topformer.mmseg import quiet
from topformer.network import Backbone

if find_spec("mmdet") is None:
    raise StudyError(f"detection needs mmdetection, which is not installed; {extras.command('detection')}")

STAND_IN = mmcv_ops.provide()
"""Whether mmcv's compiled operations are replaced."""

try:
    with quiet():
        import mmdet.datasets
        import mmdet.engine
        import mmdet.evaluation
        import mmdet.models  # noqa: F401
        from mmdet.models.losses import focal_loss
        from mmdet.registry import MODELS
        from mmengine.model import BaseModule
except ModuleNotFoundError as error:
    raise StudyError(f"detection needs {error.name}, which is not installed; {extras.command('detection')}") from None

DETECTED = (8, 16, 32)
"""Reductions of the maps that RetinaNet's feature pyramid takes (Lin et al., Focal loss, ICCV 2017)."""


def check_scales(design: Design) -> None:
    """The design injects semantics into every scale that the detector takes.

    Raises:
        DesignError: It does not.
    """
    if not set(DETECTED) <= set(design.injected):
        raise DesignError(f"injected must hold {DETECTED} for detection, got {design.injected}")


@MODELS.register_module()
class TopFormerFeatures(BaseModule):  # type: ignore[misc]
    """Token pyramid, semantics extractor and injection as an mmdetection backbone.

    Args:
        design: The design as plain JSON; its head is not used.
        drop_path: Stochastic depth of the last extractor block.
        init_cfg: As for every mmengine module.

    Raises:
        DesignError: The JSON describes no design, or one that lacks a scale.
    """

    def __init__(
        self, design: Mapping[str, Any], drop_path: float = 0.1, init_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        read = from_json(design)
        check_scales(read)
        self.taken = [read.injected.index(scale) for scale in DETECTED]
        self.body = Backbone(read, drop_path=drop_path)

    def forward(self, image_B3HW: Tensor) -> tuple[Tensor, ...]:
        """Injected maps at 1/8, 1/16 and 1/32; each is (B, M, H_i, W_i)."""
        maps = self.body(image_B3HW)
        return tuple(maps[number] for number in self.taken)


def _plain_focal_loss(pred: Tensor, target: Tensor, *args: Any, **settings: Any) -> Tensor:
    """Mmdetection's pure-Python focal loss under the arguments of the compiled one, which CUDA would call."""
    classes = pred.shape[1]
    one_hot = functional.one_hot(target, classes + 1)[:, :classes]
    loss: Tensor = focal_loss.py_sigmoid_focal_loss(pred, one_hot, *args, **settings)
    return loss


if STAND_IN:
    focal_loss.sigmoid_focal_loss = _plain_focal_loss
