"""The release's names and keys in mmsegmentation: the same networks, their checkpoints, and no double registration."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from tests.topformer_tests.golden import golden, golden_image
from topformer.errors import CheckpointError, DesignError
from topformer.mmseg import from_segmentor_state, quiet, to_segmentor_state
from topformer.mmseg_release import SimpleHead, Topformer, register
from topformer.network import TopFormer
from topformer.presets import SMALL, TINY

with quiet():
    from mmengine.config import Config, ConfigDict
    from mmengine.registry import DefaultScope
    from mmengine.runner.checkpoint import load_checkpoint
    from mmseg.registry import MODELS

# The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

TINY_ROWS = [
    *([3, 1, 16, 1], [3, 4, 16, 2], [3, 3, 16, 1], [5, 3, 32, 2], [5, 3, 32, 1], [3, 3, 64, 2], [3, 3, 64, 1]),
    *([5, 6, 96, 2], [5, 6, 96, 1]),
]
SMALL_ROWS = [
    *([3, 1, 16, 1], [3, 4, 24, 2], [3, 3, 24, 1], [5, 3, 48, 2], [5, 3, 48, 1], [3, 3, 96, 2], [3, 3, 96, 1]),
    *([5, 6, 128, 2], [5, 6, 128, 1], [3, 6, 128, 1]),
]
CASES = {
    "tiny_released": (TINY_ROWS, [2, 4, 6, 8], [16, 32, 64, 96], 128, 4, True),
    "small": (SMALL_ROWS, [2, 4, 6, 9], [24, 48, 96, 128], 192, 6, False),
}


def keys(case: str, **changes: Any) -> dict[str, Any]:
    """The `model` of a released configuration."""
    rows, taps, channels, width, heads, depthwise = CASES[case]
    backbone = {
        "type": "Topformer",
        "cfgs": rows,
        "channels": channels,
        "out_channels": [None, width, width, width],
        "embed_out_indice": taps,
        "decode_out_indices": [1, 2, 3],
        "depths": 4,
        "num_heads": heads,
        "c2t_stride": 2,
        "drop_path_rate": 0.1,
        "norm_cfg": {"type": "SyncBN", "requires_grad": True},
    }
    head = {
        "type": "SimpleHead",
        "in_channels": [width, width, width],
        "in_index": [0, 1, 2],
        "channels": width,
        "dropout_ratio": 0.1,
        "num_classes": 150,
        "is_dw": depthwise,
        "norm_cfg": {"type": "SyncBN", "requires_grad": True},
        "align_corners": False,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False, "loss_weight": 1.0},
    }
    return {
        "type": "EncoderDecoder",
        "backbone": {**backbone, **changes},
        "decode_head": head,
        "train_cfg": {},
        "test_cfg": {"mode": "whole"},
    }


def build(settings: dict[str, Any]) -> Any:
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(ConfigDict(settings))


@pytest.mark.parametrize(("case", "design"), [("tiny_released", TINY), ("small", SMALL)])
def test_the_releases_keys_build_the_network_of_the_design(case: str, design: Any) -> None:
    built = build(keys(case)).eval()
    network = TopFormer(design).eval()
    state = network.state_dict()
    assert {k: v.shape for k, v in from_segmentor_state(built.state_dict()).items()} == {
        name: value.shape for name, value in state.items()
    }
    built.load_state_dict(to_segmentor_state(state), strict=True)
    image = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(built(image, mode="tensor"), network(image))


def test_the_released_head_in_training_drops_whole_channels() -> None:
    torch.manual_seed(0)
    settings = keys("small")
    settings["decode_head"] = {**settings["decode_head"], "dropout_ratio": 0.5, "norm_cfg": {"type": "BN"}}
    head = build(settings).decode_head.train()
    seen: list[torch.Tensor] = []
    head.body.classifier.register_forward_hook(lambda _module, read, _given: seen.append(read[0]))
    head([torch.randn(4, SMALL.width, 12 >> i, 8 >> i) for i in range(3)])
    dropped = seen[0].flatten(2).abs().amax(2) == 0
    assert float(dropped.float().mean()) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("case", CASES)
def test_the_released_start_is_kept_under_synchronised_norms(case: str) -> None:
    body = build(keys(case)).backbone.body
    zero = {name for name, value in body.named_parameters() if name.endswith("norm.weight") and not value.any()}
    assert zero == {f"extractor.blocks.{i}.attention.project.norm.weight" for i in range(4)}


@pytest.mark.parametrize("case", CASES)
def test_a_released_segmentation_checkpoint_gives_the_released_logits(case: str, tmp_path: Path) -> None:
    expected, built = golden(case), build(keys(case)).eval()
    torch.save({"state_dict": expected.state()}, tmp_path / "released.pth")
    load_checkpoint(built, str(tmp_path / "released.pth"), strict=True, logger=None)
    with torch.inference_mode():
        logits = built(golden_image(), mode="tensor")
    # Why single logits are held to 2 %: see test_network.
    errors = [abs(logits[0, k, y, x].item() - logit) / expected.std for k, y, x, logit in expected.samples]
    assert max(errors) < 2e-2
    assert median(errors) < 1e-3


def test_an_imagenet_checkpoint_is_taken_by_init_cfg_the_averaged_weights_first(tmp_path: Path) -> None:
    state = {
        name.removeprefix("backbone."): value
        for name, value in golden("tiny_released").state().items()
        if name.startswith(("backbone.tpm.", "backbone.trans."))
    }
    last = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save({"state_dict": last, "state_dict_ema": {**state, "head.l.weight": torch.zeros(2)}}, tmp_path / "in.pth")
    built = build(keys("tiny_released", init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "in.pth")}))
    built.init_weights()
    restored = from_segmentor_state(built.state_dict())
    assert torch.equal(restored["backbone.pyramid.stem.conv.weight"], state["tpm.stem.0.c.weight"])
    ours = "backbone.extractor.blocks.3.attention.query.norm.running_var"
    assert torch.equal(restored[ours], state["trans.transformer_blocks.3.attn.to_q.bn.running_var"])


def test_a_checkpoint_of_another_network_is_refused_by_init_cfg(tmp_path: Path) -> None:
    torch.save({"tpm.stem.0.c.weight": torch.zeros(16, 3, 3, 3)}, tmp_path / "other.pth")
    built = build(keys("tiny_released", init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "other.pth")}))
    with pytest.raises(CheckpointError, match=r"the checkpoint does not fit the network; .* missing: backbone\.tpm"):
        built.init_weights()


def test_a_configuration_file_of_mmsegmentation_1_finds_them(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text(
        "custom_imports = dict(imports=['topformer.mmseg_release'], allow_failed_imports=False)\n"
        f"default_scope = 'mmseg'\nmodel = {keys('tiny_released')!r}\n"
    )
    built = build(Config.fromfile(path).model)
    assert isinstance(built.backbone, Topformer)
    assert isinstance(built.decode_head, SimpleHead)


def test_sync_bn_is_what_the_file_asks_for() -> None:
    built = build(keys("tiny_released"))
    kinds = {type(module).__name__ for module in built.modules() if "BatchNorm" in type(module).__name__}
    assert kinds == {"SyncBatchNorm"}


def test_the_loss_is_that_of_mmsegmentation() -> None:
    built = build(keys("tiny_released"))
    losses = built.loss(torch.zeros(2, 3, 64, 64), samples(2))
    assert set(losses) == {"decode.loss_ce", "decode.acc_seg"}
    assert losses["decode.loss_ce"].item() == pytest.approx(5.0106, abs=0.2)


def samples(count: int) -> list[Any]:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = []
    for _ in range(count):
        sample = SegDataSample(metainfo={"img_shape": (64, 64)})
        sample.gt_sem_seg = PixelData(data=torch.ones(1, 64, 64, dtype=torch.long))
        samples.append(sample)
    return samples


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deepths": 3}, "unknown key of Topformer 'deepths'; did you mean 'depths'"),
        ({"injection": False}, "injection must be True, got False"),
        ({"norm_cfg": {"type": "GN"}}, "unknown norm_cfg.type 'GN'"),
        ({"channels": [1, 2, 3, 4]}, "channels must be those of the rows"),
    ],
)
def test_a_backbone_that_is_none_of_the_releases_is_refused(changes: dict[str, Any], message: str) -> None:
    settings = {name: value for name, value in keys("tiny_released", **changes)["backbone"].items() if name != "type"}
    with pytest.raises(DesignError, match=message):
        Topformer(**settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"align_corners": True}, "align_corners must be False, got True"),
        ({"in_index": [2, 1, 0]}, r"in_index must be 0 to 2 in order, got \[2, 1, 0\]"),
        ({"channels": 64}, "in_channels and channels of the head must agree"),
    ],
)
def test_a_head_that_is_none_of_the_releases_is_refused(changes: dict[str, Any], message: str) -> None:
    settings = {name: value for name, value in keys("tiny_released")["decode_head"].items() if name != "type"}
    with pytest.raises(DesignError, match=message):
        SimpleHead(**{**settings, **changes})


# Registration


def test_registering_twice_changes_nothing() -> None:
    register()
    assert MODELS.module_dict["Topformer"] is Topformer
    assert MODELS.module_dict["SimpleHead"] is SimpleHead


def test_a_name_that_the_users_code_has_registered_is_one_clear_error() -> None:
    program = (
        "import topformer.mmseg\n"
        "from mmseg.registry import MODELS\n"
        "Theirs = type('SimpleHead', (), {'__module__': 'mmseg.models.decode_heads.simple_head'})\n"
        "MODELS.register_module(module=Theirs)\n"
        "from topformer.errors import InputError\n"
        "try:\n"
        "    import topformer.mmseg_release\n"
        "except InputError as error:\n"
        "    print(error)\n"
        "assert MODELS.module_dict['SimpleHead'] is Theirs\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "SimpleHead is registered in mmsegmentation already, by mmseg.models.decode_heads.simple_head; "
        "import either that module or topformer.mmseg_release, not both\n"
    )
