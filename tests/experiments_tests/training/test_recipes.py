"""The recipes against a table of the release's configuration files, and these files' form read without running it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.cli import main
from experiments.data.folders.known import KNOWN
from experiments.training.recipes import RECIPES, recipe, released_design
from experiments.training.release.config import design_from_release_config, from_release_config
from experiments.training.release.files import read_release_file
from tests.experiments_tests.training.release.released_tree import FILES, MODELS, write_release
from topformer.design import Design, Head, Injection
from topformer.errors import DesignError, StudyError
from topformer.mmseg import to_segmentor_state
from topformer.network import TopFormer
from topformer.presets import BASE, NANO, SMALL, TINY, model_of

# The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")


def pair(text: str) -> tuple[int, int]:
    first, second = text.split("x")
    return int(first), int(second)


@pytest.mark.parametrize("row", FILES.values(), ids=lambda row: row["source"])
def test_a_recipe_has_the_numbers_of_its_file(row: dict[str, str]) -> None:
    found = recipe(row["recipe"], row["model"])
    assert (found.source, found.dataset) == (row["source"], row["dataset"])
    assert (found.classes, found.reduce_zero_label) == (int(row["classes"]), row["reduce_zero_label"] == "yes")
    assert (found.crop, found.scale) == (pair(row["crop"]), pair(row["scale"]))
    assert (found.evaluation_scale, found.size_divisor) == (pair(row["evaluation_scale"]), int(row["size_divisor"]))
    assert (found.iterations, found.batch) == (int(row["iterations"]), int(row["batch"]))
    assert found.learning_rate == float(row["learning_rate"])


@pytest.mark.parametrize("name", RECIPES)
def test_what_all_files_share(name: str) -> None:
    found = recipe(name)
    assert (found.warmup_iterations, found.warmup_factor, found.power, found.least_rate) == (1500, 1e-6, 1.0, 0.0)
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


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.mark.parametrize("name", FILES)
def test_a_released_file_gives_the_design_and_its_recipe(name: str, release: Path) -> None:
    row = FILES[name]
    wanted = recipe(row["recipe"], row["model"])
    found = from_release_config(release / name)
    assert found.design == released_design(row["recipe"], row["model"])
    # A recipe says a width where it is not the preset's; what is read from a file has it in the design.
    kept = [field for field in type(wanted).__dataclass_fields__ if field not in ("name", "width")]
    assert {field: getattr(found.recipe, field) for field in kept} == {field: getattr(wanted, field) for field in kept}
    model = MODELS.get(name, MODELS[f"topformer_{row['model']}.py"])
    assert found.checkpoint == Path("modelzoos/classification") / model["checkpoint"]
    assert found.data == Path(KNOWN[row["dataset"]].folder)


@pytest.mark.parametrize(("name", "preset"), [("tiny", TINY), ("small", SMALL), ("base", BASE)])
def test_a_released_model_file_gives_the_preset(name: str, preset: Design, release: Path) -> None:
    assert design_from_release_config(release / f"topformer_{name}.py") == preset


@pytest.mark.parametrize("name", FILES)
def test_the_configuration_that_is_written_of_it_builds(
    name: str, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--from-config", str(release / name), "--print-config"]) == 0
    (tmp_path / "config.py").write_text(capsys.readouterr().out)
    # At the top they would come before the quiet import and meet torch's deprecations.
    from mmengine.config import Config
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS as BUILT

    settings = Config.fromfile(tmp_path / "config.py")
    row, found = FILES[name], from_release_config(release / name)
    with DefaultScope.overwrite_default_scope("mmseg"):
        built = BUILT.build(settings.model)
    ours = to_segmentor_state(TopFormer(found.design).state_dict())
    assert {key: value.shape for key, value in built.state_dict().items()} == {k: v.shape for k, v in ours.items()}
    groups = build_optim_wrapper(built, settings.optim_wrapper).optimizer.param_groups
    assert {round(group["lr"] / float(row["learning_rate"])) for group in groups} == {1, 10}
    assert settings.model.backbone.init_cfg == {"type": "Pretrained", "checkpoint": str(found.checkpoint)}
    assert settings.train_cfg.max_iters == int(row["iterations"])
    assert settings.train_dataloader.batch_size == int(row["batch"])
    assert settings.train_dataloader.dataset.root == KNOWN[row["dataset"]].folder
    assert settings.train_dataloader.dataset.reduce_zero_label == (row["reduce_zero_label"] == "yes")
    assert settings.model.decode_head.design.num_classes == len(settings.val_dataloader.dataset.metainfo.classes)


def printed(file: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["train", "--from-config", str(file), "--checkpoint", str(checkpoint), "--print-config"]) == 0
    values: dict[str, Any] = {}
    exec(capsys.readouterr().out, values)
    return values


def test_a_printed_configuration_starts_as_the_file_can_be_read(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, saved = release / "topformer_tiny_512x512_160k_2x8_ade20k.py", tmp_path / "a.pth"
    torch.save({"state_dict_ema": {"tpm.stem.0.c.weight": torch.zeros(1)}}, saved)
    found = printed(file, saved, capsys)
    assert found["model"]["backbone"]["init_cfg"] == {"type": "Pretrained", "checkpoint": str(saved)}
    assert found["load_from"] is None
    torch.save({"state_dict": to_segmentor_state(TopFormer(TINY).state_dict())}, saved)
    found = printed(file, saved, capsys)
    assert "init_cfg" not in found["model"]["backbone"]
    assert found["load_from"] == str(saved)
    torch.save(TopFormer(TINY).state_dict(), saved)
    assert main(["train", "--from-config", str(file), "--checkpoint", str(saved), "--print-config"]) == 2
    assert "is no checkpoint of a segmentor" in capsys.readouterr().err


def test_what_the_file_says_cannot_be_said_again(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(release / "topformer_tiny_512x512_160k_2x8_ade20k.py")
    assert main(["train", "--from-config", file, "--design", "base", "--print-config"]) == 2
    assert "--from-config says design and recipe, got --design base as well" in capsys.readouterr().err


def test_a_training_needs_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--print-config"]) == 2
    assert "--data must name the folder of the data set" in capsys.readouterr().err


def test_a_file_for_an_unknown_data_set_is_refused(release: Path) -> None:
    values = read_release_file(release / "topformer_tiny_512x512_160k_2x8_ade20k.py")
    values["data"]["train"]["type"] = "MyDataset"
    with pytest.raises(StudyError, match=r"data\.train must be of a known data set .*, got MyDataset"):
        from_release_config(values)


def test_the_other_keys_of_the_backbone_are_understood(release: Path) -> None:
    values = read_release_file(release / "topformer_base_512x512_160k_2x8_ade20k.py")
    more = {"depths": 2, "key_dim": 24, "attn_ratios": 3, "mlp_ratios": 4, "injection_type": "fuse_multi"}
    values["model"]["backbone"].update({**more, "c2t_stride": 1})
    design = from_release_config(values).design
    assert len(design.blocks) == 2
    block = design.blocks[0]
    assert (block.key_dim, block.attention_ratio, block.ffn_ratio, block.heads) == (24, 3.0, 4.0, 8)
    assert (design.pool_stride, design.injection, design.head) == (32, Injection.GATE, Head.SUM)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("backbone", "injection_type", "muli_summ", "unknown injection_type 'muli_summ'; did you mean 'muli_sum'"),
        ("backbone", "channels", [16, 32, 64, 128], r"channels must be those of the rows \(2, 4, 6, 9\)"),
        ("backbone", "out_channels", [None, 256, 128, 256], "out_channels of the injected scales must agree"),
        ("backbone", "decode_out_indices", [2, 3], "the backbone gives 2 maps of 256 channels, the head takes 3"),
        ("decode_head", "channels", 128, "in_channels and channels of the head must agree"),
        ("decode_head", "in_channels", [], "in_channels must have 1 to 4 numbers"),
    ],
)
def test_settings_that_describe_no_network_are_named(
    part: str, key: str, value: Any, message: str, release: Path
) -> None:
    values = read_release_file(release / "topformer_base_512x512_160k_2x8_ade20k.py")
    values["model"][part][key] = value
    with pytest.raises(DesignError, match=message):
        from_release_config(values)


def test_a_missing_key_is_named(release: Path) -> None:
    values = read_release_file(release / "topformer_base_512x512_160k_2x8_ade20k.py")
    del values["model"]["backbone"]["cfgs"]
    with pytest.raises(DesignError, match="the release's settings have no cfgs, got type, channels"):
        from_release_config(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os", "line 1: only assignments to names are accepted"),
        ("a = __import__('os').system('touch ran')", "is no literal, no dict"),
        ("a = dict(b=open('x'))", "is no literal, no dict"),
        ("a = [", "is not Python"),
        ("_base_ = ['a.py']", r"a\.py is built on itself: a\.py"),
        ("_base_ = [3]", "_base_ must name files, got 3"),
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
