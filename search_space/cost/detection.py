"""What a RetinaNet around a design costs, in closed form: parameters and multiply-accumulates by part.

The detector is mmdetection's standard one: a feature pyramid of 256 channels on three injected maps with two coarser
levels from the last of them, and two towers of four convolutions with nine anchors per place.

Reference: Lin et al., Focal loss for dense object detection, ICCV 2017, section 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from topformer.design import Design
from topformer.errors import DesignError

CHANNELS, TOWER, ANCHORS = 256, 4, 9
"""Channels of the pyramid, convolutions of a tower, anchors per place."""
SCALES = (8, 16, 32)
"""Reductions of the maps that are taken."""
COCO_CLASSES = 80


@dataclass(frozen=True, slots=True)
class DetectorPart:
    """Trainable numbers, and multiply-accumulates of convolutions and matrix products for one image."""

    parameters: int
    macs: int

    def __add__(self, other: "DetectorPart") -> "DetectorPart":
        return DetectorPart(self.parameters + other.parameters, self.macs + other.macs)


def retinanet_cost(
    design: Design, height: int, width: int, *, classes: int = COCO_CLASSES
) -> Mapping[str, DetectorPart]:
    """Costs of `backbone`, `neck` and `head`, and of all under `total`.

    Args:
        design: The network; its injected maps of `SCALES` are taken.
        height: Height of the padded image in pixels.
        width: Its width.
        classes: Classes of the detector.

    Raises:
        DesignError: `classes` is below 1, or the size is impossible.
    """
    if classes < 1:
        raise DesignError(f"classes must be an integer of at least 1, got {classes}")
    areas = _areas(height, width)
    parts = {
        "backbone": _backbone(design, height, width),
        "neck": _neck(design.width, areas),
        "head": _head(classes, sum(areas)),
    }
    return {**parts, "total": sum(parts.values(), DetectorPart(0, 0))}


def _areas(height: int, width: int) -> list[int]:
    """Places of the five levels, finest first; every side is rounded up."""
    return [-(-height // stride) * -(-width // stride) for stride in (*SCALES, 64, 128)]


def _convolution(inputs: int, outputs: int, kernel: int, places: int) -> DetectorPart:
    """A convolution with bias."""
    weights = kernel * kernel * inputs * outputs
    return DetectorPart(weights + outputs, weights * places)


def _backbone(design: Design, height: int, width: int) -> DetectorPart:
    shares = cost(Candidate(design=design, height=height, width=width)).by_module
    parts = [share for name, share in shares.items() if name != "head"]
    return DetectorPart(sum(s.parameters for s in parts), sum(s.macs_conv_matmul for s in parts))


def _neck(inputs: int, areas: list[int]) -> DetectorPart:
    *fine, sixth, seventh = areas
    layers = [_convolution(inputs, CHANNELS, 1, places) for places in fine]
    layers += [_convolution(CHANNELS, CHANNELS, 3, places) for places in fine]
    layers += [_convolution(inputs, CHANNELS, 3, sixth), _convolution(CHANNELS, CHANNELS, 3, seventh)]
    return sum(layers, DetectorPart(0, 0))


def _head(classes: int, places: int) -> DetectorPart:
    """Both towers; their weights are shared by all levels."""
    layers = [_convolution(CHANNELS, CHANNELS, 3, places)] * (2 * TOWER)
    layers += [_convolution(CHANNELS, ANCHORS * outputs, 3, places) for outputs in (classes, 4)]
    return sum(layers, DetectorPart(0, 0))
