"""What of a configuration file is kept: an allow-list of every section's keys and values, the rest is refused by name.

Values that stand here are the only ones that the training has; where they are mmsegmentation's defaults (0.x) a file
may leave the key out. `FREE` marks what is read, or changes no weight.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from experiments.data.folders.known import KNOWN
from topformer.errors import StudyError, nearest, shown
from topformer.schema import refuse

FREE = object()
"""The rule of a key that is read elsewhere, or that changes nothing of the training."""

_Rules = Mapping[str, Any]
"""Key to `FREE`, to a tuple of the accepted values, or to the rules of a table."""

WITHOUT_PARAMETERS = ("absolute_pos_embed", "relative_position_bias_table", "pos_block", "pos_embed", "cls_token")
"""Names in `custom_keys` of parameters that a TopFormer has none of."""
_NORM: _Rules = {"type": ("BN", "SyncBN"), "requires_grad": (True,), "eps": (1e-5,), "momentum": (0.1,)}
_LOSS: _Rules = {
    "type": ("CrossEntropyLoss",),
    "use_sigmoid": (False,),
    "use_mask": (False,),
    "reduction": ("mean",),
    "class_weight": (None,),
    "loss_weight": (1.0,),
    "loss_name": FREE,
    "avg_non_ignore": (False,),
}
_BACKBONE: _Rules = {
    **dict.fromkeys(
        (
            *("type", "cfgs", "channels", "out_channels", "embed_out_indice", "decode_out_indices", "depths"),
            *("key_dim", "num_heads", "attn_ratios", "mlp_ratios", "c2t_stride", "injection_type", "drop_path_rate"),
        ),
        FREE,
    ),
    "norm_cfg": _NORM,
    "injection": (True,),
    "init_cfg": {"type": ("Pretrained",), "checkpoint": FREE, "prefix": (None,)},
}
_HEAD: _Rules = {
    **dict.fromkeys(("type", "in_channels", "channels", "num_classes", "is_dw", "dropout_ratio"), FREE),
    "norm_cfg": _NORM,
    "align_corners": (False,),
    "in_index": FREE,
    "input_transform": ("multiple_select",),
    "loss_decode": _LOSS,
    "ignore_index": (255,),
    "sampler": (None,),
    "conv_cfg": (None,),
    "act_cfg": ({"type": "ReLU"},),
}
_MODEL: _Rules = {
    "type": ("EncoderDecoder",),
    "backbone": _BACKBONE,
    "decode_head": _HEAD,
    "pretrained": (None,),
    "neck": (None,),
    "auxiliary_head": (None,),
    "train_cfg": (None, {}),
    "test_cfg": {"mode": ("whole",)},
    "init_cfg": (None,),
}
_OPTIMIZER: _Rules = {
    "type": ("AdamW",),
    "lr": FREE,
    "betas": FREE,
    "eps": (1e-8,),
    "weight_decay": FREE,
    "amsgrad": (False,),
    "constructor": ("DefaultOptimizerConstructor",),
    "paramwise_cfg": {
        "custom_keys": {
            "head": {"lr_mult": FREE, "decay_mult": (1.0,)},
            "norm": {"decay_mult": FREE, "lr_mult": (1.0,)},
            **dict.fromkeys(WITHOUT_PARAMETERS, FREE),
        },
        "bias_lr_mult": (1.0,),
        "bias_decay_mult": (1.0,),
        "dwconv_decay_mult": (1.0,),
        "bypass_duplicate": FREE,
    },
}
_SCHEDULE: _Rules = {
    "policy": ("poly",),
    "by_epoch": (False,),
    "power": FREE,
    "min_lr": FREE,
    "warmup": (None, "linear"),
    "warmup_iters": FREE,
    "warmup_ratio": FREE,
    "warmup_by_epoch": (False,),
}
_SPLIT: _Rules = {
    **dict.fromkeys(("type", "data_root", "img_dir", "ann_dir", "split", "pipeline"), FREE),
    "test_mode": (False, True),
    "ignore_index": (255,),
}
_DATA: _Rules = {
    **dict.fromkeys(("samples_per_gpu", "workers_per_gpu", "persistent_workers", "pin_memory", "test"), FREE),
    "train": _SPLIT,
    "val": _SPLIT,
}
_TOP: _Rules = {
    **dict.fromkeys(
        (
            *("checkpoint_config", "log_config", "log_level", "dist_params", "workflow", "cudnn_benchmark"),
            *("find_unused_parameters", "work_dir", "gpu_ids", "auto_resume", "opencv_num_threads", "mp_start_method"),
        ),
        FREE,
    ),
    "model": _MODEL,
    "data": _DATA,
    "optimizer": _OPTIMIZER,
    "optimizer_config": {"type": ("OptimizerHook",), "grad_clip": (None,), "detect_anomalous_params": FREE},
    "lr_config": _SCHEDULE,
    "runner": {"type": ("IterBasedRunner",), "max_iters": FREE},
    "evaluation": {
        **dict.fromkeys(("interval", "by_epoch", "start", "pre_eval", "efficient_test", "save_best", "rule"), FREE),
        "metric": ("mIoU", ["mIoU"]),
    },
    "fp16": (None,),
    "custom_hooks": (None, []),
    "load_from": (None,),
    "resume_from": (None,),
    "momentum_config": (None,),
    "seed": (None,),
}
_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "load_from": "--checkpoint names the weights to start from",
        "resume_from": "a training goes on in its own --out",
        "seed": "--seed says it",
        "optim_wrapper": "files of mmsegmentation 0.x are read",
        "param_scheduler": "files of mmsegmentation 0.x are read",
    }
)
"""What to do instead."""
_STEPS: _Rules = {
    "LoadImageFromFile": {"to_float32": (False,), "color_type": ("color",), "imdecode_backend": ("cv2",)},
    "LoadAnnotations": {"reduce_zero_label": FREE, "imdecode_backend": ("pillow",)},
    "Resize": {"img_scale": FREE, "ratio_range": FREE, "keep_ratio": (True,), "multiscale_mode": ("range",)},
    "RandomCrop": {"crop_size": FREE, "cat_max_ratio": FREE, "ignore_index": (255,)},
    "RandomFlip": {"prob": FREE, "direction": ("horizontal",)},
    "PhotoMetricDistortion": {
        "brightness_delta": (32,),
        "contrast_range": ((0.5, 1.5), [0.5, 1.5]),
        "saturation_range": ((0.5, 1.5), [0.5, 1.5]),
        "hue_delta": (18,),
    },
    "Normalize": {"mean": FREE, "std": FREE, "to_rgb": (True,)},
    "Pad": {"size": FREE, "pad_val": (0,), "seg_pad_val": FREE, "size_divisor": (None,)},
    "DefaultFormatBundle": {},
    "Collect": {"keys": FREE, "meta_keys": FREE},
}
"""The steps of a training image, in the order in which the training takes them."""
_TEST: _Rules = {
    "LoadImageFromFile": _STEPS["LoadImageFromFile"],
    "MultiScaleFlipAug": {"img_scale": FREE, "img_ratios": (None, 1.0, [1.0]), "flip": (False,), "transforms": FREE},
}
_TRANSFORMS: _Rules = {
    "Resize": {"keep_ratio": (True,)},
    "ResizeToMultiple": {"size_divisor": FREE, "interpolation": (None,)},
    "RandomFlip": {"prob": FREE, "direction": FREE},
    "Normalize": _STEPS["Normalize"],
    "ImageToTensor": {"keys": FREE},
    "Collect": {"keys": FREE, "meta_keys": FREE},
}


def check_kept(values: Mapping[str, Any]) -> None:
    """Everything in a configuration is something that a training here does.

    Raises:
        StudyError: A key or a value is not; the message lists all of them.
    """
    refuse([*_problems(_flat(values), _TOP, ""), *_pipeline_problems(values)], StudyError)


def check_model_kept(model: Mapping[str, Any]) -> None:
    """As `check_kept`, for the section `model` alone."""
    refuse(_problems(model, _MODEL, "model"), StudyError)


def dataset(values: Mapping[str, Any], split: str) -> Any:
    """The data set of a split below the wrappers that only repeat it.

    Raises:
        StudyError: It stands in another wrapper.
    """
    found = values.get(split)
    while isinstance(found, Mapping) and "dataset" in found:
        if found.get("type") != "RepeatDataset":
            raise StudyError(f"data.{split}.type cannot be kept: {shown(found.get('type'))}; accepted: RepeatDataset")
        found = found["dataset"]
    return found


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    data = values.get("data")
    if not isinstance(data, Mapping):
        return dict(values)
    return {**values, "data": {**data, **{name: dataset(data, name) for name in ("train", "val") if name in data}}}


def _problems(values: object, rules: _Rules, where: str) -> Iterator[str]:
    if not isinstance(values, Mapping):
        yield f"{where} must be a table, got {shown(values)}"
        return
    for name, value in values.items():
        path = f"{where}.{name}" if where else str(name)
        if name not in rules:
            near = nearest(name, rules)
            hint = _RENAMED.get(name) or (f"did you mean {near}?" if near else "the training here has no such setting")
            yield f"{path} cannot be kept: {shown(value)}; {hint}"
        else:
            yield from _value_problems(name, value, rules[name], path)


def _value_problems(name: str, value: Any, rule: Any, path: str) -> Iterator[str]:
    if rule is FREE:
        return
    if isinstance(rule, Mapping):
        # A head may have a list of losses; with one it is that loss.
        one = name == "loss_decode" and isinstance(value, (list, tuple)) and len(value) == 1
        if value is not None:
            yield from _problems(value[0] if one else value, rule, path)
    elif value not in rule:
        hint = f"; {_RENAMED[name]}" if name in _RENAMED else ""
        yield f"{path} cannot be kept: {shown(value)}; accepted: {' or '.join(map(str, rule))}{hint}"


def _pipeline_problems(values: Mapping[str, Any]) -> Iterator[str]:
    data = values.get("data")
    if not isinstance(data, Mapping):
        return
    for split, rules in (("train", _STEPS), ("val", _TEST)):
        found = dataset(data, split)
        steps = found.get("pipeline") if isinstance(found, Mapping) else None
        if steps is not None:
            yield from _step_problems(steps, rules, f"data.{split}.pipeline")
        if split == "val" and isinstance(steps, (list, tuple)):
            inner = next((s.get("transforms") for s in steps if isinstance(s, Mapping) and "transforms" in s), None)
            if inner is not None:
                yield from _step_problems(inner, _TRANSFORMS, "data.val.pipeline.MultiScaleFlipAug.transforms")


def _step_problems(steps: object, rules: _Rules, where: str) -> Iterator[str]:
    if not isinstance(steps, Sequence) or not all(isinstance(step, Mapping) for step in steps):
        yield f"{where} must be a list of tables, got {shown(steps)}"
        return
    order = list(rules)
    last = -1
    for step in steps:
        kind = step.get("type")
        if kind not in rules:
            yield f"{where} cannot be kept: step {shown(kind)}; accepted: {', '.join(rules)}"
            continue
        if order.index(kind) <= last:
            yield f"{where} cannot be kept: {kind} after {order[last]}; the order is {', '.join(rules)}"
        last = order.index(kind)
        yield from _problems({k: v for k, v in step.items() if k != "type"}, rules[kind], f"{where}.{kind}")


def check_agrees(training: Mapping[str, Any], name: str, classes: int, *, zero: bool) -> None:
    """The numbers of a file are those of the known data set that it names.

    Args:
        training: The section of the training's data set.
        name: The known data set.
        classes: `model.decode_head.num_classes`.
        zero: `reduce_zero_label`.

    Raises:
        StudyError: They are not; the data set's own would be trained.
    """
    known = KNOWN[name]
    if classes != known.num_classes:
        raise StudyError(
            f"model.decode_head.num_classes cannot be kept: {shown(classes)}; {name} has {known.num_classes} classes"
        )
    if zero != known.reduce_zero_label:
        raise StudyError(
            f"data.train.pipeline.LoadAnnotations.reduce_zero_label cannot be kept: {zero}; "
            f"that of {name} is {known.reduce_zero_label}"
        )
    labels = training.get("ann_dir")
    if labels is not None and labels != known.splits["training"].labels:
        raise StudyError(
            f"data.train.ann_dir cannot be kept: {shown(labels)}; {name} has {known.splits['training'].labels}"
        )
