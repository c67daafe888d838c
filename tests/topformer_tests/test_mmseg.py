"""The adapter to mmsegmentation: the same network under its names, quietly, and no pickle that runs."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from topformer.codec import to_json
from topformer.design import Head
from topformer.errors import CheckpointError, DesignError
from topformer.mmseg import (
    TopFormerBackbone,
    TopFormerHead,
    from_segmentor_state,
    load_plain,
    quiet,
    segmentor,
    to_segmentor_state,
)
from topformer.network import TopFormer
from topformer.presets import NANO, TINY

with quiet():
    from mmengine.config import Config
    from mmengine.logging import HistoryBuffer
    from mmengine.runner import CheckpointLoader
    from mmseg.registry import MODELS


@pytest.mark.parametrize(
    "design",
    [replace(TINY, num_classes=7), NANO, replace(NANO, head=Head.CONCAT, injected=(4, 16), num_classes=2)],
    ids=["tiny", "nano", "concat"],
)
def test_the_segmentor_gives_the_logits_of_the_network(design: Any) -> None:
    network, adapted = TopFormer(design).eval(), segmentor(design, height=96, width=64).eval()
    adapted.load_state_dict(to_segmentor_state(network.state_dict()), strict=True)
    image = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, actual = network(image), adapted(image, mode="tensor")
    assert torch.equal(actual, expected)


def test_a_head_in_training_drops_whole_channels() -> None:
    """As BaseDecodeHead's own Dropout2d does, whose place ours takes."""
    torch.manual_seed(0)
    head = segmentor(NANO, height=96, width=64, dropout=0.5).decode_head.train()
    seen: list[torch.Tensor] = []
    head.body.classifier.register_forward_hook(lambda _module, read, _given: seen.append(read[0]))
    head([torch.randn(4, NANO.width, 12 >> i, 8 >> i) for i in range(3)])
    dropped = seen[0].flatten(2).abs().amax(2) == 0
    assert float(dropped.float().mean()) == pytest.approx(0.5, abs=0.15)


def test_the_names_of_the_tensors_go_there_and_back() -> None:
    state = TopFormer(NANO).state_dict()
    back = from_segmentor_state(to_segmentor_state(state))
    assert list(back) == list(state)


def test_a_tensor_of_another_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"neck\.conv is no tensor of a TopFormer"):
        to_segmentor_state({"neck.conv": torch.zeros(1)})


def test_backbone_and_head_are_found_by_their_names() -> None:
    assert MODELS.get("TopFormerBackbone") is TopFormerBackbone
    assert MODELS.get("TopFormerHead") is TopFormerHead


def test_a_design_that_is_none_is_refused() -> None:
    with pytest.raises(DesignError, match="unknown key of design 'widht'"):
        TopFormerBackbone(design={**to_json(NANO), "widht": 3})


def test_importing_the_adapter_prints_and_warns_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import topformer.mmseg"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_configs_of_the_installed_mmsegmentation_are_found(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text("_base_ = 'mmseg::_base_/schedules/schedule_80k.py'\n")
    assert Config.fromfile(config).train_cfg.max_iters == 80_000


# Checkpoints


class Runs:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "meta": Runs()}, tmp_path / "foreign.pth")
    with pytest.raises(CheckpointError, match=r"foreign\.pth holds more than tensors and plain data and was not run"):
        CheckpointLoader.load_checkpoint(str(tmp_path / "foreign.pth"))
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Runs(), protocol=2))
    with pytest.raises(CheckpointError, match=r"bare\.pth"):
        load_plain(tmp_path / "bare.pth")
    assert not (tmp_path / "ran").exists()


def test_what_mmengine_logs_is_read_back(tmp_path: Path) -> None:
    history = HistoryBuffer([0.5, 0.25], [1, 1])
    torch.save({"message_hub": {"loss": history}, "value": torch.ones(2)}, tmp_path / "own.pth")
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / "own.pth"), map_location="cpu")
    assert loaded["message_hub"]["loss"].mean() == 0.375


def test_a_missing_checkpoint_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pth cannot be read"):
        load_plain("nowhere.pth")
