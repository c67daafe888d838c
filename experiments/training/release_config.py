"""Designs and recipes from the released configuration files (mmsegmentation 0.x)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.training.recipes import Recipe
from experiments.training.release_files import read_release_file
from topformer.design import SCALES, Block, Bottleneck, Design, Head, Injection
from topformer.errors import StudyError, unknown_name

_INJECTIONS = {
    "muli_sum": Injection.GATE_SUM,
    "muli_sum_cbr": Injection.GATE_SUM_CBR,
    "fuse_multi": Injection.GATE,
    "fuse_sum": Injection.SUM,
}
_INJECTED = (1, 2, 3)
"""Numbers of the injected scales where a file does not say them; other defaults of the release stand where used."""
_DEVICES = 8
"""The release trains on eight GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a configuration file of the release says."""

    design: Design
    recipe: Recipe


def from_release_config(source: Mapping[str, Any] | Path, *, devices: int = _DEVICES) -> Released:
    """The network and the training of a released configuration; no code in it is run.

    Args:
        source: The file, or its values.
        devices: GPUs that it is meant for; the batch is theirs together.

    Raises:
        StudyError: The file cannot be read, or a setting is missing or unknown; the message names it.
        DesignError: The settings describe no network.
    """
    name = source.stem if isinstance(source, Path) else "release"
    values = read_release_file(source) if isinstance(source, Path) else source
    return Released(design=_design(values), recipe=_recipe(values, name, devices))


def _get(values: Any, path: str) -> Any:
    """The value at a path such as `model.backbone.cfgs`."""
    found = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise StudyError(f"the configuration has no {path}")
        found = found[part]
    return found


def _design(values: Mapping[str, Any]) -> Design:
    backbone, head = _get(values, "model.backbone"), _get(values, "model.decode_head")
    for part, kind, known in ((backbone, "Topformer", "backbone"), (head, "SimpleHead", "decode_head")):
        if part.get("type") != kind:
            raise StudyError(f"model.{known}.type must be {kind}, got {part.get('type')!r}")
    rows = tuple(Bottleneck(kernel=k, expand=t, channels=c, stride=s) for k, t, c, s in _get(backbone, "cfgs"))
    taps = tuple(_get(backbone, "embed_out_indice"))
    if [rows[tap].channels for tap in taps if tap < len(rows)] != list(_get(backbone, "channels")):
        raise StudyError(f"channels must be those of the rows {taps}, got {backbone['channels']}")
    injection = backbone.get("injection_type", "muli_sum")
    if injection not in _INJECTIONS:
        raise StudyError(unknown_name("injection_type", injection, _INJECTIONS))
    block = Block(
        heads=backbone.get("num_heads", 8),
        key_dim=backbone.get("key_dim", 16),
        attention_ratio=float(backbone.get("attn_ratios", 2)),
        ffn_ratio=float(backbone.get("mlp_ratios", 2)),
    )
    return Design(
        rows=rows,
        taps=taps,
        pool_stride=SCALES[-1] * backbone.get("c2t_stride", 2),
        blocks=(block,) * backbone.get("depths", 4),
        injected=tuple(SCALES[i] for i in backbone.get("decode_out_indices", _INJECTED)),
        injection=_INJECTIONS[injection],
        width=_width(backbone, head),
        head=Head.SUM_DEPTHWISE if head.get("is_dw") else Head.SUM,
        num_classes=_get(head, "num_classes"),
    )


def _width(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> int:
    injected = [_get(backbone, "out_channels")[i] for i in backbone.get("decode_out_indices", _INJECTED)]
    found = {*injected, *_get(head, "in_channels"), _get(head, "channels")}
    if len(found) != 1:
        raise StudyError(f"out_channels of the injected scales and the head's channels must agree, got {found}")
    width: int = injected[0]
    return width


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
        classes=_get(values, "model.decode_head.num_classes"),
        reduce_zero_label=load.get("reduce_zero_label", False),
        crop=tuple(crop["crop_size"]),
        cat_max_ratio=crop["cat_max_ratio"],
        scale=tuple(resize["img_scale"]),
        factors=tuple(resize["ratio_range"]),
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
        warmup=_get(values, "lr_config.warmup_iters"),
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
