"""Designs and recipes from the released configuration files (mmsegmentation 0.x)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.data.folders.known import KNOWN, TRAINING
from experiments.training.recipes import Recipe
from experiments.training.release.files import read_release_file
from experiments.training.release.kept import check_agrees, check_kept, check_model_kept, dataset
from topformer.design import Design
from topformer.errors import DesignError, ExplorerError, StudyError, shown
from topformer.kinds import is_number
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
        StudyError: The file cannot be read, a setting is missing, or a key or value is not kept; the message names it.
        DesignError: The settings of the model describe no network.
    """
    name = source.stem if isinstance(source, Path) else "release"
    values = read_release_file(source) if isinstance(source, Path) else source
    design = design_from_release_config(values)
    check_kept(values)
    return Released(
        design=design,
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
        if not isinstance(part, Mapping):
            raise StudyError(f"model.{known} must be a table, got {shown(part)}")
        if part.get("type") != kind:
            raise StudyError(f"model.{known}.type must be {kind}, got {part.get('type')!r}")
    check_model_kept(values["model"])
    try:
        return design_of_release(backbone, head)
    except ExplorerError:
        raise
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise DesignError(f"the settings of the model describe no network: {error}") from error


def _checkpoint(values: Mapping[str, Any]) -> Path | None:
    found = (_get(values, "model.backbone").get("init_cfg") or {}).get("checkpoint")
    if found is not None and not (isinstance(found, str) and found):
        raise StudyError(f"model.backbone.init_cfg.checkpoint must name a file, got {shown(found)}")
    return Path(found) if found else None


def _recipe(values: Mapping[str, Any], name: str, devices: int) -> Recipe:
    """The recipe; what a file leaves out is mmsegmentation's own default (0.x), and mmcv's of a schedule (1.x)."""
    training = _dataset(values, "train")
    known = _known(training)
    classes = _get(values, "model.decode_head.num_classes")
    zero = _step(training, "train", "LoadAnnotations").get("reduce_zero_label", False)
    check_agrees(training, known, classes, zero=zero)
    return Recipe(
        name=name,
        source=f"{name}.py",
        dataset=known,
        classes=classes,
        reduce_zero_label=zero,
        **_augmentation(training),
        **_evaluation(_dataset(values, "val"), _step(training, "train", "Normalize")),
        **_optimizer(values),
        **_schedule(values),
        batch=devices * int(_number(values, "data.samples_per_gpu")),
        drop_path=_number(values, "model.backbone.drop_path_rate", 0.0),
        dropout=_number(values, "model.decode_head.dropout_ratio", 0.1),
        synchronised=_synchronised(values),
    )


def _augmentation(training: Mapping[str, Any]) -> dict[str, Any]:
    steps = [step["type"] for step in training["pipeline"]]
    resize, crop, pad, norm = (_step(training, "train", k) for k in ("Resize", "RandomCrop", "Pad", "Normalize"))
    flip = _step(training, "train", "RandomFlip") if "RandomFlip" in steps else {"prob": 0.0}
    size = _numbers(crop, "crop_size", 2, "RandomCrop")
    if _numbers(pad, "size", 2, "Pad") != size:
        raise StudyError(f"Pad.size cannot be kept: {pad['size']}; accepted: that of RandomCrop.crop_size, {size}")
    smallest, largest = _numbers({"ratio_range": (1.0, 1.0), **resize}, "ratio_range", 2, "Resize")
    return {
        "crop": size,
        "cat_max_ratio": _number(crop, "cat_max_ratio", 1.0),
        "scale": _numbers(resize, "img_scale", 2, "Resize"),
        "smallest_scale": smallest,
        "largest_scale": largest,
        "flip": _number(flip, "prob"),
        "distort": "PhotoMetricDistortion" in steps,
        "mean": _numbers(norm, "mean", 3, "Normalize"),
        "std": _numbers(norm, "std", 3, "Normalize"),
        "pad_label": pad.get("seg_pad_val", 255),
    }


def _evaluation(held: Mapping[str, Any], norm: Mapping[str, Any]) -> dict[str, Any]:
    test = _step(held, "val", "MultiScaleFlipAug")
    transforms = {step["type"]: step for step in _get(test, "transforms")}
    given = transforms.get("Normalize", {})
    for key in ("mean", "std"):
        if list(given.get(key, ())) != list(norm[key]):
            raise StudyError(
                f"data.val.pipeline Normalize.{key} cannot be kept: {shown(given.get(key))}; accepted: that of the "
                f"training, {norm[key]}"
            )
    divisor = transforms["ResizeToMultiple"].get("size_divisor", 32) if "ResizeToMultiple" in transforms else 1
    return {"evaluation_scale": _numbers(test, "img_scale", 2, "MultiScaleFlipAug"), "size_divisor": divisor}


def _optimizer(values: Mapping[str, Any]) -> dict[str, Any]:
    _get(values, "optimizer.type")
    keys = ((values["optimizer"].get("paramwise_cfg") or {}).get("custom_keys")) or {}
    decay = _number(values, "optimizer.weight_decay", 0.01)
    return {
        "learning_rate": _number(values, "optimizer.lr"),
        "head_multiplier": _number(keys.get("head") or {}, "lr_mult", 1.0),
        "betas": _numbers({"betas": (0.9, 0.999), **values["optimizer"]}, "betas", 2, "optimizer"),
        "weight_decay": decay,
        "norm_weight_decay": decay * _number(keys.get("norm") or {}, "decay_mult", 1.0),
    }


def _schedule(values: Mapping[str, Any]) -> dict[str, Any]:
    iterations = _number(values, "runner.max_iters")
    _get(values, "lr_config.policy")
    if _get(values, "lr_config").get("by_epoch", True):
        raise StudyError("lr_config.by_epoch cannot be kept: True, which is mmsegmentation's default; accepted: False")
    warm = values["lr_config"].get("warmup") is not None
    return {
        "iterations": iterations,
        "warmup": _number(values, "lr_config.warmup_iters") / iterations if warm and iterations else 0.0,
        **({"warmup_factor": _number(values, "lr_config.warmup_ratio", 0.1)} if warm else {}),
        "power": _number(values, "lr_config.power", 1.0),
        "least_rate": _number(values, "lr_config.min_lr", 0.0),
    }


def _synchronised(values: Mapping[str, Any]) -> bool:
    kinds = [
        (_get(values, f"model.{part}").get("norm_cfg") or {}).get("type", "BN") for part in ("backbone", "decode_head")
    ]
    if len(set(kinds)) > 1:
        raise StudyError(
            f"norm_cfg.type must be one for model.backbone and model.decode_head, got {' and '.join(kinds)}"
        )
    return "SyncBN" in kinds


def _number(values: Mapping[str, Any], path: str, default: float | None = None) -> float:
    try:
        found = _get(values, path)
    except StudyError:
        if default is None:
            raise
        return default
    if not is_number(found):
        raise StudyError(f"{path} must be a number, got {shown(found)}")
    return found


def _numbers(values: Mapping[str, Any], key: str, count: int, where: str) -> Any:
    found = values.get(key)
    if not (isinstance(found, (list, tuple)) and len(found) == count and all(map(is_number, found))):
        raise StudyError(f"{where}.{key} must be {count} numbers, got {shown(found)}")
    return tuple(found)


def _known(training: Mapping[str, Any]) -> str:
    """The known data set that a file trains on: told by mmsegmentation's class and the folder of the images."""
    reader, images = _get(training, "type"), _get(training, "img_dir")
    for item in KNOWN.values():
        if (item.reader, item.splits[TRAINING].images) == (reader, images):
            return item.name
    raise StudyError(f"data.train must be of a known data set ({', '.join(KNOWN)}), got {reader} with {images}")


def _dataset(values: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    _get(values, f"data.{split}")
    found: Mapping[str, Any] = dataset(values["data"], split)
    _get(found, "pipeline")
    return found


def _step(held: Mapping[str, Any], split: str, kind: str) -> Mapping[str, Any]:
    steps: Sequence[Mapping[str, Any]] = held["pipeline"]
    for step in steps:
        if step.get("type") == kind:
            return step
    raise StudyError(f"the configuration's pipeline of data.{split} has no {kind}")
