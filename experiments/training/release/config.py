"""Designs and recipes from the released configuration files (mmsegmentation 0.x)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.data.folders.known import KNOWN, TRAINING
from experiments.training.recipes import Recipe
from experiments.training.release.files import read_release_file
from topformer.design import Design
from topformer.errors import StudyError
from topformer.weights.released_designs import BACKBONE, HEAD, design_of_release

_DEVICES = 8
"""The release trains on eight GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a configuration file of the release says.

    Attributes:
        design: The network.
        recipe: The training, with the name of its data set.
        data: Where the file looks for the data.
        checkpoint: The ImageNet weights that its backbone starts from, if any.
    """

    design: Design
    recipe: Recipe
    data: Path
    checkpoint: Path | None


def from_release_config(source: Mapping[str, Any] | Path, *, devices: int = _DEVICES) -> Released:
    """The network and the training of a released configuration; no code in it is run.

    Args:
        source: The file, or its values.
        devices: GPUs that it is meant for; the batch is theirs together.

    Raises:
        StudyError: The file cannot be read, or a setting is missing or unknown; the message names it.
        DesignError: The settings of the model describe no network.
    """
    name = source.stem if isinstance(source, Path) else "release"
    values = read_release_file(source) if isinstance(source, Path) else source
    return Released(
        design=design_from_release_config(values),
        recipe=_recipe(values, name, devices),
        data=Path(_get(_dataset(values, "train"), "data_root")),
        checkpoint=_checkpoint(values),
    )


def _get(values: Any, path: str) -> Any:
    """The value at a path such as `model.backbone.cfgs`."""
    found = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise StudyError(f"the configuration has no {path}")
        found = found[part]
    return found


def design_from_release_config(source: Mapping[str, Any] | Path) -> Design:
    """The network of a released configuration, which may be one of its files with a model alone.

    Raises:
        StudyError: The file cannot be read, or is of another network.
        DesignError: The settings describe no network.
    """
    values = read_release_file(source) if isinstance(source, Path) else source
    backbone, head = _get(values, "model.backbone"), _get(values, "model.decode_head")
    for part, kind, known in ((backbone, BACKBONE, "backbone"), (head, HEAD, "decode_head")):
        if part.get("type") != kind:
            raise StudyError(f"model.{known}.type must be {kind}, got {part.get('type')!r}")
    return design_of_release(backbone, head)


def _checkpoint(values: Mapping[str, Any]) -> Path | None:
    found = _get(values, "model.backbone").get("init_cfg") or {}
    return Path(found["checkpoint"]) if found.get("checkpoint") else None


def _recipe(values: Mapping[str, Any], name: str, devices: int) -> Recipe:
    training = _dataset(values, "train")
    load, resize, crop = (_step(training["pipeline"], k) for k in ("LoadAnnotations", "Resize", "RandomCrop"))
    norm, test = (
        _step(training["pipeline"], "Normalize"),
        _step(_dataset(values, "val")["pipeline"], "MultiScaleFlipAug"),
    )
    keys = _get(values, "optimizer.paramwise_cfg.custom_keys")
    steps = [step["type"] for step in training["pipeline"]]
    return Recipe(
        name=name,
        source=f"{name}.py",
        dataset=_known(training),
        classes=_get(values, "model.decode_head.num_classes"),
        reduce_zero_label=load.get("reduce_zero_label", False),
        crop=tuple(crop["crop_size"]),
        cat_max_ratio=crop["cat_max_ratio"],
        scale=tuple(resize["img_scale"]),
        smallest_scale=resize["ratio_range"][0],
        largest_scale=resize["ratio_range"][1],
        flip=_step(training["pipeline"], "RandomFlip")["prob"],
        distort="PhotoMetricDistortion" in steps,
        evaluation_scale=tuple(test["img_scale"]),
        size_divisor=next((s["size_divisor"] for s in test["transforms"] if s["type"] == "ResizeToMultiple"), 1),
        iterations=_get(values, "runner.max_iters"),
        batch=devices * _get(values, "data.samples_per_gpu"),
        learning_rate=_get(values, "optimizer.lr"),
        head_multiplier=keys["head"]["lr_mult"],
        betas=tuple(_get(values, "optimizer.betas")),
        weight_decay=_get(values, "optimizer.weight_decay"),
        norm_weight_decay=_get(values, "optimizer.weight_decay") * keys["norm"]["decay_mult"],
        warmup=_get(values, "lr_config.warmup_iters") / _get(values, "runner.max_iters"),
        warmup_factor=_get(values, "lr_config.warmup_ratio"),
        power=_get(values, "lr_config.power"),
        least_rate=_get(values, "lr_config.min_lr"),
        drop_path=_get(values, "model.backbone.drop_path_rate"),
        dropout=_get(values, "model.decode_head.dropout_ratio"),
        synchronised=_get(values, "model.backbone.norm_cfg.type") == "SyncBN",
        mean=tuple(norm["mean"]),
        std=tuple(norm["std"]),
        pad_label=_step(training["pipeline"], "Pad")["seg_pad_val"],
    )


def _known(training: Mapping[str, Any]) -> str:
    """The known data set that a file trains on: told by mmsegmentation's class and the folder of the images."""
    reader, images = _get(training, "type"), _get(training, "img_dir")
    for item in KNOWN.values():
        if (item.reader, item.splits[TRAINING].images) == (reader, images):
            return item.name
    raise StudyError(f"data.train must be of a known data set ({', '.join(KNOWN)}), got {reader} with {images}")


def _dataset(values: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _get(values, f"data.{split}")
    while "dataset" in found:
        found = found["dataset"]
    return found


def _step(pipeline: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    for step in pipeline:
        if step.get("type") == kind:
            return step
    raise StudyError(f"the configuration's pipeline has no {kind}")
