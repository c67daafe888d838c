"""The mmengine configuration of a training, as plain data and as a Python file."""

from collections.abc import Mapping
from dataclasses import replace
from pprint import pformat
from typing import Any

from experiments.data.folders import TRAINING, VALIDATION, SegmentationFolder
from experiments.training.checks import check_fit, check_share
from experiments.training.optimizer import grouping
from experiments.training.recipes import Recipe
from topformer.codec import to_json
from topformer.design import Design
from topformer.errors import DataError, StudyError

PARTS = ("topformer.mmseg", "experiments.training.mmseg.data", "experiments.training.mmseg.parts")
"""Where mmsegmentation finds what is not its own: data set and loading steps with the sampler and hook of exact
resuming, and network, optimizer and metric."""
CHECKPOINT_EVERY = 2000


def mmengine_configuration(
    design: Design,
    recipe: Recipe,
    folder: SegmentationFolder,
    *,
    seed: int = 0,
    devices: int = 1,
    workers: int = 4,
    checkpoint_every: int = CHECKPOINT_EVERY,
    initial: str | None = None,
    pretrained: str | None = None,
) -> dict[str, Any]:
    """The configuration of one training, for mmsegmentation 1.x.

    A folder of one's own says its classes and what label is ignored, whatever the recipe says.

    Args:
        design: The network; its number of classes becomes the data's.
        recipe: The training.
        folder: The data set, with the splits `training` and `validation`.
        seed: Of initialisation, data order and augmentation.
        devices: Processes that share a batch.
        workers: Processes per device that load data.
        checkpoint_every: Iterations between two checkpoints, at most.
        initial: A checkpoint of the segmentor to start from.
        pretrained: A released checkpoint that the backbone starts from.

    Raises:
        DataError: The classes are not known, or a split is missing or empty.
        StudyError: The batch cannot be shared equally, the recipe is for another data set, or asks for what only the
            lean loop does.
    """
    check_fit(recipe, folder)
    check_share(recipe.batch, devices)
    if recipe.loss_stride != 1:
        raise StudyError(f"mmsegmentation's loss counts every pixel, got loss_stride {recipe.loss_stride}")
    every = max(1, recipe.iterations // recipe.validations)
    score = {"type": "ScoresMetric", "iou_metrics": ["mIoU"]}
    return {
        "default_scope": "mmseg",
        "custom_imports": {"imports": list(PARTS), "allow_failed_imports": False},
        "custom_hooks": [{"type": "ReseedHook"}],
        "model": model(replace(design, num_classes=folder.num_classes), recipe, seed=seed, pretrained=pretrained),
        **_loaders(recipe, folder, devices=devices, workers=workers),
        "val_evaluator": score,
        "test_evaluator": score,
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": recipe.iterations, "val_interval": every},
        "val_cfg": {"type": "ValLoop"},
        "test_cfg": {"type": "TestLoop"},
        "optim_wrapper": optimizer(recipe),
        "param_scheduler": schedulers(recipe),
        "default_hooks": {"checkpoint": _checkpoints(min(every, checkpoint_every))},
        "log_processor": {"by_epoch": False},
        "randomness": {"seed": seed},
        **({"sync_bn": "torch"} if recipe.synchronised and devices > 1 else {}),
        "load_from": initial,
    }


def _checkpoints(every: int) -> dict[str, Any]:
    """Two are kept: mmengine removes the older one before it has written the newer."""
    return {"type": "CheckpointHook", "by_epoch": False, "interval": every, "max_keep_ckpts": 2}


def _loaders(recipe: Recipe, folder: SegmentationFolder, *, devices: int, workers: int) -> dict[str, Any]:
    processes = {"num_workers": workers, "persistent_workers": workers > 0}
    validation = {
        "batch_size": 1,
        **processes,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "dataset": dataset(folder, VALIDATION, evaluation_pipeline(recipe)),
    }
    return {
        "train_dataloader": {
            "batch_size": recipe.batch // devices,
            **processes,
            "sampler": {"type": "EndlessSampler"},
            "dataset": dataset(folder, TRAINING, training_pipeline(recipe)),
        },
        "val_dataloader": validation,
        "test_dataloader": validation,
    }


def model(design: Design, recipe: Recipe, *, seed: int | None = None, pretrained: str | None = None) -> dict[str, Any]:
    """The segmentor: the design's backbone and head, the release's normalisation and cross-entropy."""
    plain = to_json(design)
    start = {"init_cfg": {"type": "Pretrained", "checkpoint": pretrained}} if pretrained else {}
    return {
        "type": "TopFormerSegmentor",
        "seed": seed,
        "data_preprocessor": {
            "type": "SegDataPreProcessor",
            "mean": list(recipe.mean),
            "std": list(recipe.std),
            "bgr_to_rgb": True,
            "pad_val": 0,
            "seg_pad_val": recipe.pad_label,
            "size": recipe.crop,
        },
        "backbone": {"type": "TopFormerBackbone", "design": plain, "drop_path": recipe.drop_path, **start},
        "decode_head": {
            "type": "TopFormerHead",
            "design": plain,
            "dropout": recipe.dropout,
            "ignore_index": recipe.ignore_index,
        },
        "train_cfg": {},
        "test_cfg": {"mode": "whole"},
    }


def dataset(folder: SegmentationFolder, split: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    """A split of a folder: mmsegmentation is handed our pairs, by `experiments.training.mmseg.data.FolderDataset`.

    Raises:
        DataError: The split is not there, or it is empty.
    """
    if folder.splits and not folder.pairs(split):
        raise DataError(f"split {split} of {folder.root} is empty")
    metainfo: dict[str, Any] = {"classes": list(folder.classes)}
    if folder.colours:
        metainfo["palette"] = [list(colour) for colour in folder.colours]
    return {
        "type": "FolderDataset",
        "root": str(folder.root),
        "split": split,
        **({"dataset": folder.source.name} if folder.source else {}),
        "metainfo": metainfo,
        "reduce_zero_label": folder.reduce_zero_label,
        "pipeline": pipeline,
    }


def training_pipeline(recipe: Recipe) -> list[dict[str, Any]]:
    """Load, resize, crop, flip, distort; normalisation and padding are the data preprocessor's."""
    resized = {"scale": recipe.scale, "ratio_range": recipe.factors, "keep_ratio": True}
    return [
        {"type": "ReadImage"},
        {"type": "ReadLabel"},
        {"type": "RandomResize", **resized},
        {"type": "RandomCrop", "crop_size": recipe.crop, "cat_max_ratio": recipe.crop_share},
        {"type": "RandomFlip", "prob": recipe.flip},
        *([{"type": "PhotoMetricDistortion"}] if recipe.distort else []),
        {"type": "PackSegInputs"},
    ]


def evaluation_pipeline(recipe: Recipe, *, labels: bool = True) -> list[dict[str, Any]]:
    """The whole image, resized into the recipe's evaluation scale; labels stay at their own size."""
    return [
        {"type": "ReadImage"},
        {"type": "Resize", "scale": recipe.evaluation_scale, "keep_ratio": True},
        *_enlarged(recipe),
        *([{"type": "ReadLabel"}] if labels else []),
        {"type": "PackSegInputs"},
    ]


def augmented_pipeline(recipe: Recipe, *, factors: tuple[float, ...], flip: bool) -> list[dict[str, Any]]:
    """The evaluation at several scales, and mirrored too where asked for; predictions are averaged."""
    longer, shorter = recipe.evaluation_scale
    sizes = [(round(longer * factor), round(shorter * factor)) for factor in factors]
    choices = [
        [{"type": "Resize", "scale": size, "keep_ratio": True} for size in sizes],
        *([_enlarged(recipe)] if recipe.size_divisor > 1 else []),
        [{"type": "RandomFlip", "prob": p, "direction": "horizontal"} for p in ((0.0, 1.0) if flip else (0.0,))],
        [{"type": "ReadLabel"}],
        [{"type": "PackSegInputs"}],
    ]
    return [{"type": "ReadImage"}, {"type": "TestTimeAug", "transforms": choices}]


def _enlarged(recipe: Recipe) -> list[dict[str, Any]]:
    return [{"type": "ResizeToMultiple", "size_divisor": recipe.size_divisor}] if recipe.size_divisor > 1 else []


def optimizer(recipe: Recipe) -> dict[str, Any]:
    """Fused AdamW: no weight decay on normalisation layers, and its own learning rate for the head."""
    mixed = {"type": "AmpOptimWrapper", "dtype": recipe.precision}
    groups = grouping(recipe)
    return {
        **({"type": "OptimWrapper"} if recipe.precision == "float32" else mixed),
        "constructor": "GroupedOptimWrapperConstructor",
        "optimizer": {
            "type": "AdamW",
            "lr": groups.pop("learning_rate"),
            "betas": recipe.betas,
            "weight_decay": groups.pop("weight_decay"),
            "fused": True,
        },
        "paramwise_cfg": groups,
    }


def schedulers(recipe: Recipe) -> list[dict[str, Any]]:
    """Linear warm-up times polynomial decay; both ends lie one behind, as mmengine reaches a factor at `end - 1`."""
    plain = {"by_epoch": False, "begin": 0}
    rise = {"type": "LinearLR", "start_factor": recipe.warmup_factor, **plain, "end": recipe.warmup_iterations + 1}
    decay = {
        "type": "PolyLR",
        "power": recipe.power,
        "eta_min": recipe.least_rate,
        **plain,
        "end": recipe.iterations + 1,
    }
    return [*([rise] if recipe.warmup_iterations else []), decay]


def as_python(configuration: Mapping[str, Any]) -> str:
    """The configuration as a file for mmsegmentation 1.x: one assignment of literals per entry."""
    return "".join(f"{name} = {pformat(value, width=100, sort_dicts=False)}\n" for name, value in configuration.items())
