"""Networks of the TopFormer paper's Table 1 as mmsegmentation configures them, and their kernels for a device folder.

python -m docs.make.baselines search_space/latency/devices/snapdragon-865/kernels.csv
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mmseg
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from search_space.latency.calibration.networks import write_kernels
from search_space.latency.kernels import kernels
from search_space.latency.networks.backbones import ConvMLP, efficientnet_b0_stages, shufflenet_v2_stages
from search_space.operations.walk import walk

CLASSES = 150
SIDE = 512

_MOBILENET_V2 = "mobilenet_v2/mobilenet-v2-d8_{}_4xb4-160k_ade20k-512x512.py"
_DEEPLAB = _MOBILENET_V2.format("deeplabv3plus")
# Strides and dilations of output stride 16, which give the FLOPs of the table.
_STRIDE_16: Mapping[str, Any] = {"strides": (1, 2, 2, 2, 1, 1, 1), "dilations": (1, 1, 1, 1, 1, 2, 2)}
_RESNET_STRIDE_16: Mapping[str, Any] = {"strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Construction:
    """How a network of the table is made.

    Attributes:
        path: The file below mmsegmentation's configs.
        backbone: Changes of its backbone.
        stages: Builds the backbone where mmsegmentation has none.
        neck: Changes of its neck.
        head: Changes of its decode head.
        auxiliary: Changes of the auxiliary head, which only trains but is in the parameters of the table.
        explained: What the figures of the table say of the network.
    """

    path: str
    backbone: Mapping[str, Any] = field(default_factory=dict)
    stages: Callable[[], nn.Module] | None = None
    neck: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    auxiliary: Mapping[str, Any] = field(default_factory=dict)
    explained: str = ""


# The decoder of mmsegmentation's DeepLabV3+ on ResNet-18.
_LIGHT: Mapping[str, Any] = {"channels": 128, "c1_channels": 12}

BASELINES: Mapping[str, Construction] = MappingProxyType(
    {
        "SegFormer MiT-B0": Construction(path="segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"),
        "PSPNet MobileNetV2": Construction(path=_MOBILENET_V2.format("pspnet")),
        "FCN-8s MobileNetV2": Construction(path=_MOBILENET_V2.format("fcn")),
        "DeepLabV3+ MobileNetV2": Construction(path=_DEEPLAB, backbone=_STRIDE_16, explained="output stride 16"),
        "DeepLabV3+ EfficientNet": Construction(
            path=_DEEPLAB,
            stages=efficientnet_b0_stages,
            auxiliary={"in_channels": 112},
            explained="EfficientNet-B0 at output stride 16",
        ),
        "DeepLabV3+ ShuffleNetV2-1.5x": Construction(
            path=_DEEPLAB,
            stages=shufflenet_v2_stages,
            head={"in_channels": 704},
            auxiliary={"in_channels": 352},
            explained="output stride 32, without the last convolution of the classifier",
        ),
        "Lite-ASPP ResNet18": Construction(
            path="deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py",
            backbone=_RESNET_STRIDE_16,
            explained="DeepLabV3+ with a decoder of 128 channels and 12 of the fine map, output stride 16",
        ),
        "Lite-ASPP MobileNetV2": Construction(
            path=_DEEPLAB,
            backbone=_STRIDE_16,
            head=_LIGHT,
            auxiliary={"channels": 64},
            explained="DeepLabV3+ with a decoder of 128 channels and 12 of the fine map, output stride 16",
        ),
        "HRNet-W18-Small": Construction(path="hrnet/fcn_hr18s_4xb4-80k_ade20k-512x512.py"),
        "Semantic FPN ConvMLP-S": Construction(
            path="sem_fpn/fpn_r50_4xb4-160k_ade20k-512x512.py",
            stages=ConvMLP,
            neck={"in_channels": [64, 128, 256, 512]},
        ),
    }
)
"""Name in the table to how it is made."""


class Baseline(nn.Module):
    """Backbone, neck if there is one, and decode head, up to the logits as the head gives them."""

    def __init__(self, config: ConfigDict, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone, self.decode_head = backbone, MODELS.build(config.decode_head)
        self.neck = MODELS.build(config.neck) if "neck" in config else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """Logits, before any final resize."""
        logits: Tensor = self.decode_head(self.neck(self.backbone(image)))
        return logits


def build_baseline(name: str) -> Baseline:
    """The network of that name, without pretrained weights."""
    config, construction = _config(name), BASELINES[name]
    return Baseline(config, construction.stages() if construction.stages else MODELS.build(config.backbone))


def auxiliary_parameters(name: str) -> int:
    """Trainable numbers of the auxiliary head, which runs in training alone; 0 where there is none."""
    config = _config(name)
    if "auxiliary_head" not in config:
        return 0
    return sum(weight.numel() for weight in MODELS.build(config.auxiliary_head).parameters())


def _config(name: str) -> ConfigDict:
    init_default_scope("mmseg")
    construction = BASELINES[name]
    config = Config.fromfile(Path(mmseg.__file__).parent / ".mim" / "configs" / construction.path).model
    # A transformer has layer normalisation, which nothing replaces; elsewhere the synchronised form is of no use here.
    if config.backbone.get("norm_cfg"):
        config.backbone.norm_cfg = {"type": "BN"}
    config.backbone.update(init_cfg=None, **construction.backbone)
    config.decode_head.update(
        norm_cfg={"type": "BN"}, num_classes=CLASSES, in_index=_last(config.decode_head, construction)
    )
    config.decode_head.update(**construction.head)
    if "neck" in config:
        config.neck.update(**construction.neck)
    if "auxiliary_head" in config:
        config.auxiliary_head.update(norm_cfg={"type": "BN"}, num_classes=CLASSES, **construction.auxiliary)
    return config


def _last(head: ConfigDict, construction: Construction) -> Any:
    """Stages of our own give the head two maps, or all four to a neck."""
    return 1 if construction.stages and not construction.neck else head.in_index


def main() -> None:
    """Writes the kernels of every baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the file of kernels to write")
    walked = ((name, kernels(walk(build_baseline(name), SIDE, SIDE))) for name in BASELINES)
    write_kernels(parser.parse_args().path, walked)


if __name__ == "__main__":
    main()
