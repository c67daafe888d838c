"""The release's configuration files, written anew from the two tables of their contents.

The tree is that of the release (github.com/hustvl/TopFormer): `local_configs/_base_/datasets` holds ADE20K's settings
alone, and what else the files build on is mmsegmentation's own.
"""

import csv
from pathlib import Path

DATA = Path(__file__).parent
MODELS = {
    row["file"]: row for row in csv.DictReader((DATA / "released_models.csv").read_text(encoding="ascii").splitlines())
}
FILES = {
    row["source"]: row
    for row in csv.DictReader((DATA / "released_recipes.csv").read_text(encoding="ascii").splitlines())
}
DERIVED = "topformer_base_512x512_160k_4x8_ade20k.py"
"""Builds on the file with two images per GPU and changes that number alone."""
ROOTS = {"ade20k": "data/ade/ADEChallengeData2016", "cityscapes": "data/cityscapes/"}

OPTIMISER = """
optimizer = dict(_delete_=True, type='AdamW', lr={rate}, betas=(0.9, 0.999), weight_decay=0.01,
    paramwise_cfg=dict(custom_keys={{'{unused}': dict(decay_mult=0.), 'head': dict(lr_mult=10.),
                                    'norm': dict(decay_mult=0.)}}))
lr_config = dict(_delete_=True, policy='poly', warmup='linear', warmup_iters=1500, warmup_ratio=1e-6, power=1.0,
    min_lr=0.0, by_epoch=False)
find_unused_parameters=True
"""
PIPELINES = """
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
crop_size = {crop}
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'{zero}),
    dict(type='Resize', img_scale={scale}, ratio_range=(0.5, 2.0)),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion'),
    dict(type='Normalize', **img_norm_cfg), dict(type='Pad', size=crop_size, pad_val=0, seg_pad_val=255),
    dict(type='DefaultFormatBundle'), dict(type='Collect', keys=['img', 'gt_semantic_seg']),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='MultiScaleFlipAug', img_scale={evaluation}, flip=False, transforms=[
        dict(type='Resize', keep_ratio=True),{divided}
        dict(type='RandomFlip'), dict(type='Normalize', **img_norm_cfg),
        dict(type='ImageToTensor', keys=['img']), dict(type='Collect', keys=['img'])])
]
"""


def write_release(root: Path) -> Path:
    """Write all files; returns the folder `local_configs/topformer`."""
    folder = root / "local_configs" / "topformer"
    folder.mkdir(parents=True)
    bases = root / "local_configs" / "_base_" / "datasets"
    bases.mkdir(parents=True)
    ade = FILES["topformer_base_512x512_160k_2x8_ade20k.py"]
    bases.joinpath("ade20k.py").write_text(pipelines(ade) + datasets(ade, "ADE20KDataset", "images/training", 4))
    for name, row in MODELS.items():
        if name not in FILES:
            (folder / name).write_text(model(row, 150))
    for name, row in FILES.items():
        (folder / name).write_text(training(name, row))
    return folder


def training(name: str, row: dict[str, str]) -> str:
    if name == DERIVED:
        return "_base_ = [\n    './topformer_base_512x512_160k_2x8_ade20k.py'\n]\ndata=dict(samples_per_gpu=4)\n"
    runtime = f"'../_base_/default_runtime.py', '../_base_/schedules/schedule_{row['schedule']}.py'"
    unused = "pos_block" if name == "topformer_base_1024x512_80k_2x8city.py" else "absolute_pos_embed"
    optimiser = OPTIMISER.format(rate=float(row["learning_rate"]), unused=unused)
    if name in MODELS:
        data = datasets(row, "CityscapesDataset", "leftImg8bit/train", int(row["per_gpu"]), repeated=True)
        return f"_base_ = [{runtime}]\n{model(MODELS[name], 19)}{pipelines(row)}{data}{optimiser}"
    bases = f"'../_base_/datasets/{row['data_settings']}', {runtime}, './topformer_{row['model']}.py'"
    text = f"_base_ = [{bases}]\n{optimiser}"
    if row["classes"] != "150":
        text += f"model = dict(decode_head=dict(num_classes={row['classes']},),)\n"
    if "448" in name:
        own = "train=dict(pipeline=train_pipeline), val=dict(pipeline=test_pipeline), test=dict(pipeline=test_pipeline)"
        return f"{text}{pipelines(row)}data = dict({own}, samples_per_gpu={row['per_gpu']})\n"
    return f"{text}data=dict(samples_per_gpu={row['per_gpu']})\n"


def model(row: dict[str, str], classes: int) -> str:
    rows = [[int(number) for number in text.split("-")] for text in row["rows"].split()]
    taps, channels = ([int(number) for number in row[key].split()] for key in ("taps", "channels"))
    width = row["out_channels"]
    depthwise = "is_dw=True," if row["is_dw"] == "yes" else ""
    return f"""
norm_cfg = dict(type='SyncBN', requires_grad=True)
model_cfgs = dict(cfg={rows}, channels={channels}, out_channels=[None, {width}, {width}, {width}],
    embed_out_indice={taps}, decode_out_indices=[1, 2, 3], num_heads={row["heads"]}, c2t_stride=2)
model = dict(
    type='EncoderDecoder',
    backbone=dict(type='Topformer', cfgs=model_cfgs['cfg'], channels=model_cfgs['channels'],
        out_channels=model_cfgs['out_channels'], embed_out_indice=model_cfgs['embed_out_indice'],
        decode_out_indices=model_cfgs['decode_out_indices'], depths=4, num_heads=model_cfgs['num_heads'],
        c2t_stride=model_cfgs['c2t_stride'], drop_path_rate=0.1, norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='modelzoos/classification/{row["checkpoint"]}')),
    decode_head=dict(type='SimpleHead', in_channels=[{width}, {width}, {width}], in_index=[0, 1, 2],
        channels={width}, dropout_ratio=0.1, num_classes={classes}, {depthwise} norm_cfg=norm_cfg,
        align_corners=False, loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
"""


def pipelines(row: dict[str, str]) -> str:
    sizes = {key: tuple(map(int, row[key].split("x"))) for key in ("crop", "scale", "evaluation_scale")}
    divided = "dict(type='ResizeToMultiple', size_divisor=32)," if row["size_divisor"] == "32" else ""
    return PIPELINES.format(
        crop=sizes["crop"],
        scale=sizes["scale"],
        evaluation=sizes["evaluation_scale"],
        zero=", reduce_zero_label=True" if row["reduce_zero_label"] == "yes" else "",
        divided=divided,
    )


def datasets(row: dict[str, str], reader: str, images: str, per_gpu: int, *, repeated: bool = False) -> str:
    common = f"type='{reader}', data_root='{ROOTS[row['dataset']]}', img_dir='{images}'"
    train = f"dict({common}, pipeline=train_pipeline)"
    train = f"dict(type='RepeatDataset', times=500, dataset={train})" if repeated else train
    held = f"dict({common}, pipeline=test_pipeline)"
    return f"data = dict(samples_per_gpu={per_gpu}, workers_per_gpu=4, train={train}, val={held}, test={held})\n"
