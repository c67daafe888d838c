"""The recipes against a table of the release's configuration files, and these files' form read without running it."""

import csv
from pathlib import Path
from typing import Any

import pytest

from experiments.training.recipes import RECIPES, model_of, recipe, released_design
from experiments.training.release_config import from_release_config
from topformer.design import Head, Injection
from topformer.errors import StudyError
from topformer.presets import BASE, NANO, SMALL, TINY

TABLE = Path(__file__).parent / "data" / "released_recipes.csv"
ROWS = list(csv.DictReader(TABLE.read_text(encoding="ascii").splitlines()))


def pair(text: str) -> tuple[int, int]:
    first, second = text.split("x")
    return int(first), int(second)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["source"])
def test_a_recipe_has_the_numbers_of_its_file(row: dict[str, str]) -> None:
    found = recipe(row["recipe"], row["model"])
    assert found.source == row["source"]
    assert (found.classes, found.reduce_zero_label) == (int(row["classes"]), row["reduce_zero_label"] == "yes")
    assert (found.crop, found.scale) == (pair(row["crop"]), pair(row["scale"]))
    assert (found.evaluation_scale, found.size_divisor) == (pair(row["evaluation_scale"]), int(row["size_divisor"]))
    assert (found.iterations, found.batch) == (int(row["iterations"]), int(row["batch"]))
    assert found.learning_rate == float(row["learning_rate"])


@pytest.mark.parametrize("name", RECIPES)
def test_what_all_files_share(name: str) -> None:
    found = recipe(name)
    assert (found.warmup, found.warmup_factor, found.power, found.least_rate) == (1500, 1e-6, 1.0, 0.0)
    assert (found.betas, found.weight_decay, found.norm_weight_decay) == ((0.9, 0.999), 0.01, 0.0)
    assert (found.head_multiplier, found.drop_path, found.dropout) == (10.0, 0.1, 0.1)
    assert (found.factors, found.cat_max_ratio, found.flip, found.distort) == ((0.5, 2.0), 0.75, 0.5, True)
    assert (found.pad_label, found.ignore_index, found.synchronised) == (255, 255, True)
    assert found.mean == (123.675, 116.28, 103.53)
    assert found.std == (58.395, 57.12, 57.375)


def test_a_design_takes_the_numbers_of_the_nearest_model() -> None:
    assert [model_of(design) for design in (TINY, SMALL, BASE, NANO)] == ["tiny", "small", "base", "tiny"]


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'ade20k-160k'"):
        recipe("ade20k-160")


# Configuration files


ADE = """
norms = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
size = (512, 512)
train = [
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='Resize', img_scale=(2048, 512), ratio_range=(0.5, 2.0)),
    dict(type='RandomCrop', crop_size=size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'),
    dict(type='Normalize', **norms), dict(type='Pad', size=size, pad_val=0, seg_pad_val=255)]
test = [dict(type='MultiScaleFlipAug', img_scale=(2048, 512), flip=False,
             transforms=[dict(type='Resize', keep_ratio=True), dict(type='ResizeToMultiple', size_divisor=32)])]
data = dict(samples_per_gpu=4, train=dict(pipeline=train), val=dict(pipeline=test))
"""

TRAINING = """
_base_ = ['./ade.py', './default_runtime.py', './schedule_160k.py', './model.py']
optimizer = dict(_delete_=True, type='AdamW', lr={rate}, betas=(0.9, 0.999), weight_decay=0.01,
                 paramwise_cfg=dict(custom_keys={{'head': dict(lr_mult=10.), 'norm': dict(decay_mult=0.)}}))
lr_config = dict(policy='poly', warmup='linear', warmup_iters=1500, warmup_ratio=1e-6, power=1.0, min_lr=0.0)
data = dict(samples_per_gpu=2)
"""


def model_file(design: Any, *, depthwise: bool) -> str:
    """A model file of the release, written anew from a table of rows."""
    rows = [[row.kernel, row.expand, row.channels, row.stride] for row in design.rows]
    heads, width = design.blocks[0].heads, design.width
    return f"""
net = dict(cfg={rows}, heads={heads})
norm = dict(type='SyncBN', requires_grad=True)
model = dict(type='EncoderDecoder',
    backbone=dict(type='Topformer', cfgs=net['cfg'], channels={list(design.tap_channels)}, norm_cfg=norm,
        out_channels=[None, {width}, {width}, {width}], embed_out_indice={list(design.taps)},
        decode_out_indices=[1, 2, 3], depths=4, num_heads=net['heads'], c2t_stride=2, drop_path_rate=0.1),
    decode_head=dict(type='SimpleHead', in_channels=[{width}, {width}, {width}], in_index=[0, 1, 2], channels={width},
        dropout_ratio=0.1, num_classes=150{", is_dw=True" if depthwise else ""}))
"""


@pytest.mark.parametrize("model", ["tiny", "small", "base"])
def test_a_released_file_gives_the_preset_and_its_recipe(model: str, tmp_path: Path) -> None:
    wanted = recipe("ade20k-160k", model)
    design = released_design("ade20k-160k", model)
    (tmp_path / "ade.py").write_text(ADE)
    (tmp_path / "model.py").write_text(model_file(design, depthwise=model == "tiny"))
    path = tmp_path / wanted.source
    path.write_text(TRAINING.format(rate=wanted.learning_rate))
    found = from_release_config(path)
    assert found.design == design
    expected = {name: getattr(wanted, name) for name in type(wanted).__dataclass_fields__ if name != "name"}
    assert {name: getattr(found.recipe, name) for name in expected} == expected


def test_the_other_keys_of_the_backbone_are_understood(tmp_path: Path) -> None:
    (tmp_path / "ade.py").write_text(ADE)
    more = "depths=2, key_dim=24, attn_ratios=3, mlp_ratios=4, injection_type='fuse_multi'"
    text = model_file(BASE, depthwise=False).replace("depths=4", more).replace("c2t_stride=2", "c2t_stride=1")
    (tmp_path / "model.py").write_text(text)
    (tmp_path / "a.py").write_text(TRAINING.format(rate=1e-3))
    design = from_release_config(tmp_path / "a.py").design
    assert len(design.blocks) == 2
    block = design.blocks[0]
    assert (block.key_dim, block.attention_ratio, block.ffn_ratio, block.heads) == (24, 3.0, 4.0, 8)
    assert (design.pool_stride, design.injection, design.head) == (32, Injection.GATE, Head.SUM)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os", "line 1: only assignments to names are accepted"),
        ("a = __import__('os').system('touch ran')", "is no literal, no dict"),
        ("a = dict(b=open('x'))", "is no literal, no dict"),
        ("a = [", "is not Python"),
        ("a = dict(b=1)\nc = a['d']", "line 2: no entry 'd'"),
        ("_base_ = './absent.py'", r"absent\.py: No such file"),
        ("model = dict(backbone=dict(type='Topformer'))", r"the configuration has no model\.decode_head"),
    ],
)
def test_nothing_is_run_and_the_fault_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(StudyError, match=message):
        from_release_config(tmp_path / "a.py")
    assert not Path("ran").exists()
