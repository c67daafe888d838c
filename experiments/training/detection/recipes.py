"""The recipe of detection as data, and mmengine's configuration of a RetinaNet around a design.

Table 11 of the paper names RetinaNet and COCO. The authors add that they use mmdetection's default configuration,
"w/o sync_bn, 2x8" (github.com/hustvl/TopFormer, issue 11), whose numbers are those below: mmdetection 3,
`configs/retinanet/retinanet_r50_fpn_1x_coco.py` and what it builds on. In the same issue a user reports 31.2 instead
of 27.1 AP for Tiny with BatchNorm synchronised, which `synchronised` turns on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.data.coco import TRAIN, VAL, CocoFolder, annotations
from experiments.training.checks import check_share
from experiments.training.settings import check_values
from topformer.codec import to_json
from topformer.design import Design
from topformer.errors import StudyError
from topformer.pixels import MEAN, STD

_CHANNELS = 256
_LEVELS = (8, 16, 32, 64, 128)
_CHECKPOINTS = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}
"""Two checkpoints are kept, because mmengine removes the older one before it has written the newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRecipe:
    """One training of a detector: everything but the network and the folder of the data.

    Attributes:
        epochs: Passes over the training images that have boxes.
        batch: Images per iteration, over all devices.
        learning_rate: Peak learning rate of SGD.
        momentum: Of SGD.
        weight_decay: Of everything.
        warmup_iterations: Iterations of the linear warm-up.
        warmup_factor: First factor of the warm-up.
        milestones: Epochs after which the learning rate falls.
        decay: To this share.
        scale: Longer and shorter side that an image is resized into, ratio kept.
        flip: Probability of a horizontal flip.
        drop_path: Stochastic depth of the last extractor block.
        synchronised: Whether BatchNorm is synchronised over several devices.
        mean: Subtracted from red, green and blue, 0..255.
        std: Divided by.

    Raises:
        StudyError: A number is out of range.
    """

    epochs: int = 12
    batch: int = 16
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_iterations: int = 500
    warmup_factor: float = 1e-3
    milestones: tuple[int, ...] = (8, 11)
    decay: float = 0.1
    scale: tuple[int, int] = (1333, 800)
    flip: float = 0.5
    drop_path: float = 0.1
    synchronised: bool = False
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    def __post_init__(self) -> None:
        check_values(self)
        if min(self.scale) < 32:
            raise StudyError(f"scale must be two numbers of at least 32 pixels, got {self.scale!r}")


def configuration(
    design: Design,
    recipe: DetectionRecipe,
    folder: CocoFolder,
    *,
    seed: int = 0,
    devices: int = 1,
    workers: int = 2,
    initial: str | None = None,
) -> dict[str, Any]:
    """The configuration of one training, for mmdetection 3.x.

    Args:
        design: The network; its injected maps at 1/8, 1/16 and 1/32 are taken.
        recipe: The training.
        folder: The data set.
        seed: Of initialisation, data order and augmentation.
        devices: Processes that share a batch.
        workers: Processes per device that load data.
        initial: A checkpoint of the detector to start from.

    Raises:
        StudyError: The batch cannot be shared equally.
    """
    check_share(recipe.batch, devices)
    # Several processes exchange their results by messages; the default writes them into the current folder.
    score = {"type": "CocoMetric", "ann_file": str(folder.root / annotations(VAL)), "metric": "bbox"}
    score |= {"collect_device": "gpu"}
    return {
        "default_scope": "mmdet",
        "custom_imports": {"imports": ["topformer.mmdet"], "allow_failed_imports": False},
        "model": model(design, recipe, len(folder.classes)),
        **_loaders(recipe, folder, devices=devices, workers=workers),
        "val_evaluator": score,
        "test_evaluator": score,
        "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": recipe.epochs, "val_interval": 1},
        "val_cfg": {"type": "ValLoop"},
        "test_cfg": {"type": "TestLoop"},
        "optim_wrapper": _optimizer(recipe),
        "param_scheduler": _schedulers(recipe),
        "default_hooks": {"checkpoint": _CHECKPOINTS},
        "randomness": {"seed": seed},
        **({"sync_bn": "torch"} if recipe.synchronised and devices > 1 else {}),
        "load_from": initial,
    }


def _loaders(recipe: DetectionRecipe, folder: CocoFolder, *, devices: int, workers: int) -> dict[str, Any]:
    processes = {"num_workers": workers, "persistent_workers": workers > 0}
    validation = {
        "batch_size": 1,
        **processes,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "dataset": _dataset(folder, VAL, _validation_pipeline(recipe)) | {"test_mode": True},
    }
    return {
        "train_dataloader": {
            "batch_size": recipe.batch // devices,
            **processes,
            "sampler": {"type": "DefaultSampler", "shuffle": True},
            "batch_sampler": {"type": "AspectRatioBatchSampler"},
            "dataset": _dataset(folder, TRAIN, _training_pipeline(recipe))
            | {"filter_cfg": {"filter_empty_gt": True, "min_size": 32}},
        },
        "val_dataloader": validation,
        "test_dataloader": validation,
    }


def model(design: Design, recipe: DetectionRecipe, classes: int) -> dict[str, Any]:
    """The detector: mmdetection's RetinaNet on three maps of the design, with two coarser levels from the last."""
    return {
        "type": "RetinaNet",
        "data_preprocessor": {
            "type": "DetDataPreprocessor",
            "mean": list(recipe.mean),
            "std": list(recipe.std),
            "bgr_to_rgb": True,
            "pad_size_divisor": 32,
        },
        "backbone": {"type": "TopFormerFeatures", "design": to_json(design), "drop_path": recipe.drop_path},
        "neck": {
            "type": "FPN",
            "in_channels": [design.width] * 3,
            "out_channels": _CHANNELS,
            "add_extra_convs": "on_input",
            "num_outs": len(_LEVELS),
        },
        "bbox_head": _head(classes),
        "train_cfg": {
            "assigner": {
                "type": "MaxIoUAssigner",
                "pos_iou_thr": 0.5,
                "neg_iou_thr": 0.4,
                "min_pos_iou": 0,
                "ignore_iof_thr": -1,
            },
            "sampler": {"type": "PseudoSampler"},
            "allowed_border": -1,
            "pos_weight": -1,
            "debug": False,
        },
        "test_cfg": {
            "nms_pre": 1000,
            "min_bbox_size": 0,
            "score_thr": 0.05,
            "nms": {"type": "nms", "iou_threshold": 0.5},
            "max_per_img": 100,
        },
    }


def _head(classes: int) -> dict[str, Any]:
    return {
        "type": "RetinaHead",
        "num_classes": classes,
        "in_channels": _CHANNELS,
        "stacked_convs": 4,
        "feat_channels": _CHANNELS,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": 4,
            "scales_per_octave": 3,
            "ratios": [0.5, 1.0, 2.0],
            "strides": list(_LEVELS),
        },
        "bbox_coder": {"type": "DeltaXYWHBBoxCoder", "target_means": [0.0] * 4, "target_stds": [1.0] * 4},
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        "loss_bbox": {"type": "L1Loss", "loss_weight": 1.0},
    }


def _dataset(folder: CocoFolder, split: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "CocoDataset",
        "data_root": str(folder.root),
        "ann_file": annotations(split),
        "data_prefix": {"img": f"{split}/"},
        "metainfo": {"classes": list(folder.classes)},
        "pipeline": pipeline,
    }


def _training_pipeline(recipe: DetectionRecipe) -> list[dict[str, Any]]:
    return [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True},
        {"type": "Resize", "scale": recipe.scale, "keep_ratio": True},
        {"type": "RandomFlip", "prob": recipe.flip},
        {"type": "PackDetInputs"},
    ]


def _validation_pipeline(recipe: DetectionRecipe) -> list[dict[str, Any]]:
    keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    return [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": recipe.scale, "keep_ratio": True},
        {"type": "LoadAnnotations", "with_bbox": True},
        {"type": "PackDetInputs", "meta_keys": keys},
    ]


def _optimizer(recipe: DetectionRecipe) -> Mapping[str, Any]:
    rates = {"lr": recipe.learning_rate, "momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
    return {"type": "OptimWrapper", "optimizer": {"type": "SGD", **rates}}


def _schedulers(recipe: DetectionRecipe) -> list[dict[str, Any]]:
    rise = {
        "type": "LinearLR",
        "start_factor": recipe.warmup_factor,
        "by_epoch": False,
        "begin": 0,
        "end": recipe.warmup_iterations,
    }
    steps = {"type": "MultiStepLR", "milestones": list(recipe.milestones), "gamma": recipe.decay, "by_epoch": True}
    return [*([rise] if recipe.warmup_iterations else []), {**steps, "begin": 0, "end": recipe.epochs}]
