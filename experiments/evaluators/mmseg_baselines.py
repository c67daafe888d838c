"""Networks of the TopFormer paper's Table 1 as mmsegmentation configures them, and their kernels for a device folder.

python -m experiments.evaluators.mmseg_baselines search_space/latency/devices/snapdragon-865/kernels.csv
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mmseg
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn

from search_space.latency.kernels import kernels
from search_space.latency.rebuild import write_kernels
from search_space.latency.walk import walk

CLASSES = 150
SIDE = 512

_MOBILENET_V2 = "mobilenet_v2/mobilenet-v2-d8_{}_4xb4-160k_ade20k-512x512.py"
# Strides and dilations that give the FLOPs of the table, 25.8 G.
_STRIDE_16 = MappingProxyType({"strides": (1, 2, 2, 2, 1, 1, 1), "dilations": (1, 1, 1, 1, 1, 2, 2)})

BASELINES: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "SegFormer MiT-B0": ("segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py", {}),
        "PSPNet MobileNetV2": (_MOBILENET_V2.format("pspnet"), {}),
        "FCN-8s MobileNetV2": (_MOBILENET_V2.format("fcn"), {}),
        "DeepLabV3+ MobileNetV2": (_MOBILENET_V2.format("deeplabv3plus"), _STRIDE_16),
        "HRNet-W18-Small": ("hrnet/fcn_hr18s_4xb4-80k_ade20k-512x512.py", {}),
    }
)
"""Name in the table to the file below mmsegmentation's configs, and changes of the backbone."""


class Baseline(nn.Module):
    """Backbone and decode head, up to the logits as the head gives them."""

    def __init__(self, config: ConfigDict) -> None:
        super().__init__()
        self.backbone, self.decode_head = MODELS.build(config.backbone), MODELS.build(config.decode_head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits, before any final resize."""
        logits: Tensor = self.decode_head(self.backbone(image))
        return logits


def baseline(name: str) -> Baseline:
    """The network of that name, without pretrained weights."""
    init_default_scope("mmseg")
    path, changes = BASELINES[name]
    config = Config.fromfile(Path(mmseg.__file__).parent / ".mim" / "configs" / path).model
    backbone, head = config.backbone, config.decode_head
    # A transformer has layer normalisation, which nothing replaces; elsewhere the synchronised form is of no use here.
    if backbone.get("norm_cfg"):
        backbone.norm_cfg = {"type": "BN"}
    backbone.update(init_cfg=None, **changes)
    head.update(norm_cfg={"type": "BN"}, num_classes=CLASSES)
    return Baseline(config)


def main() -> None:
    """Writes the kernels of every baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the file of kernels to write")
    walked = ((name, kernels(walk(baseline(name), SIDE, SIDE))) for name in BASELINES)
    write_kernels(parser.parse_args().path, walked)


if __name__ == "__main__":
    main()
