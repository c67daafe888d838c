"""The data settings of mmsegmentation 0.x that the released configuration files build on.

The release's repository holds those of ADE20K alone; the others are mmsegmentation's own
(configs/_base_/datasets of its releases 0.x).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NORMALISATION = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_rgb": True}


def _training(scale: tuple[int, int], crop: tuple[int, int], *, zero: bool) -> list[dict[str, Any]]:
    return [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", **({"reduce_zero_label": True} if zero else {})},
        {"type": "Resize", "img_scale": scale, "ratio_range": (0.5, 2.0)},
        {"type": "RandomCrop", "crop_size": crop, "cat_max_ratio": 0.75},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PhotoMetricDistortion"},
        {"type": "Normalize", **_NORMALISATION},
        {"type": "Pad", "size": crop, "pad_val": 0, "seg_pad_val": 255},
    ]


def _evaluation(scale: tuple[int, int]) -> list[dict[str, Any]]:
    steps = [{"type": "Resize", "keep_ratio": True}, {"type": "RandomFlip"}, {"type": "Normalize", **_NORMALISATION}]
    return [
        {"type": "LoadImageFromFile"},
        {"type": "MultiScaleFlipAug", "img_scale": scale, "flip": False, "transforms": steps},
    ]


def _data(reader: str, root: str, images: str, scale: tuple[int, int], crop: tuple[int, int], *, zero: bool) -> Any:
    common = {"type": reader, "data_root": root, "img_dir": images}
    return {
        "samples_per_gpu": 4,
        "train": {**common, "pipeline": _training(scale, crop, zero=zero)},
        "val": {**common, "pipeline": _evaluation(scale)},
    }


def _context(reader: str, *, zero: bool) -> Any:
    return _data(reader, "data/VOCdevkit/VOC2010/", "JPEGImages", (520, 520), (480, 480), zero=zero)


DATASETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "pascal_context.py": {"data": _context("PascalContextDataset", zero=False)},
        "pascal_context_59.py": {"data": _context("PascalContextDataset59", zero=True)},
        "coco-stuff10k.py": {
            "data": _data(
                "COCOStuffDataset", "data/coco_stuff10k", "images/train2014", (2048, 512), (512, 512), zero=True
            )
        },
    }
)
"""Values of a file by its name, as far as a recipe needs them."""
