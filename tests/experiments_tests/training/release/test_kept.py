"""What of a configuration file is kept, what is refused by name, and what it means where a file says nothing."""

from pathlib import Path
from typing import Any

import pytest

from experiments.cli import main
from experiments.training.release.config import from_release_config
from experiments.training.release.files import read_release_file
from tests.experiments_tests.training.release.released_tree import write_release
from topformer.errors import DesignError, StudyError

FILE = "topformer_tiny_512x512_160k_2x8_ade20k.py"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("model = dict(decode_head=dict(loss_decode=dict(type='DiceLoss')))", "loss_decode.type cannot be kept: 'Dice"),
        ("model = dict(decode_head=dict(loss_decode=dict(avg_non_ignore=True)))", "loss_decode.avg_non_ignore cannot"),
        ("model = dict(decode_head=dict(loss_decode=dict(class_weight=[1.0, 2.0])))", "loss_decode.class_weight"),
        ("model = dict(decode_head=dict(sampler=dict(type='OHEMPixelSampler')))", "decode_head.sampler cannot be kept"),
        ("model = dict(auxiliary_head=dict(type='FCNHead'))", "model.auxiliary_head cannot be kept"),
        ("model = dict(test_cfg=dict(mode='slide'))", "model.test_cfg.mode cannot be kept: 'slide'; accepted: whole"),
        ("model = dict(backbone=dict(act_layer='GELU'))", "model.backbone.act_layer cannot be kept"),
        ("model = dict(decode_head=dict(num_classes=21))", "num_classes cannot be kept: 21; ade20k has 150 classes"),
        ("optimizer = dict(type='SGD')", "optimizer.type cannot be kept: 'SGD'; accepted: AdamW"),
        ("optimizer = dict(eps=1e-6)", "optimizer.eps cannot be kept"),
        ("optimizer = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))", "custom_keys.backbone"),
        ("optimizer_config = dict(grad_clip=dict(max_norm=35))", "optimizer_config.grad_clip cannot be kept"),
        ("optimizer_config = dict(type='Fp16OptimizerHook')", "optimizer_config.type cannot be kept: 'Fp16Opt"),
        ("lr_config = dict(policy='step')", "lr_config.policy cannot be kept: 'step'; accepted: poly"),
        ("lr_config = dict(warmup='exp')", "lr_config.warmup cannot be kept: 'exp'; accepted: None or linear"),
        ("fp16 = dict(loss_scale=512.0)", "fp16 cannot be kept"),
        ("load_from = 'weights.pth'", "load_from cannot be kept: 'weights.pth'; accepted: None; --checkpoint names"),
        ("custom_hooks = [dict(type='EMAHook')]", "custom_hooks cannot be kept"),
        ("optimzer = dict(lr=1)", "optimzer cannot be kept: {'lr': 1}; did you mean optimizer?"),
        ("runner = dict(type='EpochBasedRunner')", "runner.type cannot be kept"),
        ("runner = dict(max_epochs=3)", "runner.max_epochs cannot be kept"),
        ("evaluation = dict(metric='mDice')", "evaluation.metric cannot be kept"),
        ("data = dict(train=dict(classes=('a', 'b')))", "data.train.classes cannot be kept"),
        (
            "data = dict(train=dict(ann_dir='mine'))",
            "data.train.ann_dir cannot be kept: 'mine'; ade20k has annotations/",
        ),
        ("data = dict(train=dict(type='ConcatDataset', dataset=dict()))", "data.train.type cannot be kept: 'ConcatD"),
        ("data = dict(samples_per_gpu='2')", "data.samples_per_gpu must be a number, got '2'"),
    ],
)
def test_what_cannot_be_kept_is_named(line: str, said: str, release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = release / "mine.py"
    file.write_text(f"_base_ = './{FILE}'\n{line}\n")
    assert main(["train", "--from-config", str(file), "--print-config"]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "unexpected" not in err


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"type": "RandomRotate", "prob": 0.5}, "data.train.pipeline cannot be kept: step 'RandomRotate'"),
        ({"type": "Resize", "img_scale": (2048, 512)}, "data.train.pipeline cannot be kept: Resize after Collect"),
    ],
)
def test_a_step_of_the_pipeline_that_is_not_done_is_named(step: dict[str, Any], said: str, release: Path) -> None:
    values = read_release_file(release / FILE)
    values["data"]["train"]["pipeline"].append(step)
    with pytest.raises(StudyError) as caught:
        from_release_config(values)
    assert said in str(caught.value)


def step(values: dict[str, Any], split: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in values["data"][split]["pipeline"] if s["type"] == kind)
    return found


def test_what_a_file_leaves_out_is_the_default_of_mmsegmentation(release: Path) -> None:
    values = read_release_file(release / FILE)
    for section, key in (
        ("optimizer", "betas"),
        ("optimizer", "weight_decay"),
        ("optimizer", "paramwise_cfg"),
        ("lr_config", "power"),
        ("lr_config", "warmup"),
        ("lr_config", "min_lr"),
    ):
        del values[section][key]
    del values["model"]["backbone"]["drop_path_rate"], values["model"]["decode_head"]["dropout_ratio"]
    del step(values, "train", "Resize")["ratio_range"], step(values, "train", "RandomCrop")["cat_max_ratio"]
    del step(values, "train", "Pad")["seg_pad_val"]
    found = from_release_config(values).recipe
    assert (found.betas, found.weight_decay, found.norm_weight_decay) == ((0.9, 0.999), 0.01, 0.01)
    assert (found.head_multiplier, found.power, found.warmup, found.least_rate) == (1.0, 1.0, 0.0, 0.0)
    assert (found.drop_path, found.dropout, found.cat_max_ratio, found.pad_label) == (0.0, 0.1, 1.0, 255)
    assert found.factors == (1.0, 1.0)


@pytest.mark.parametrize(
    "path",
    [
        ("optimizer",),
        ("optimizer", "type"),
        ("optimizer", "lr"),
        ("lr_config",),
        ("lr_config", "policy"),
        ("lr_config", "warmup_iters"),
        ("runner",),
        ("runner", "max_iters"),
        ("data", "samples_per_gpu"),
        ("data", "val"),
        ("data", "train", "pipeline"),
        ("data", "train", "data_root"),
        ("model", "decode_head", "num_classes"),
    ],
)
def test_a_key_that_must_be_there_is_named(path: tuple[str, ...], release: Path) -> None:
    values = read_release_file(release / FILE)
    held = values
    for part in path[:-1]:
        held = held[part]
    del held[path[-1]]
    with pytest.raises((StudyError, DesignError), match=rf"ha(s|ve) no .*{path[-1]}"):
        from_release_config(values)


def test_the_schedule_of_mmsegmentation_is_not_taken_for_that_of_the_release(release: Path) -> None:
    (release / "plain.py").write_text(
        "_base_ = ['../_base_/datasets/ade20k.py', '../_base_/schedules/schedule_80k.py', './topformer_tiny.py']\n"
    )
    with pytest.raises(StudyError, match=r"optimizer\.type cannot be kept: 'SGD'"):
        from_release_config(release / "plain.py")
