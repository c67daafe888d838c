"""Weights from any file: under the names of wrappers, for other classes, and those that are no numbers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.presets import NANO
from topformer.weights.segmentor import to_segmentor_state
from topformer.weights.state import read_state, read_trained

DESIGN = replace(NANO, num_classes=7)


@pytest.fixture(scope="module")
def state() -> Mapping[str, Tensor]:
    torch.manual_seed(3)
    return TopFormer(DESIGN).state_dict()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("under", ["", "state_dict", "model"])
def test_names_of_wrappers_are_taken_off(prefix: str, under: str, state: Mapping[str, Tensor], tmp_path: Path) -> None:
    named: dict[str, Tensor] = {prefix + name: value for name, value in state.items()}
    named["n_averaged"] = torch.tensor(3)
    torch.save({under: named} if under else named, tmp_path / "weights.pt")
    found = read_trained(tmp_path / "weights.pt", DESIGN).state
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize("form", ["ours", "mmengine"])
def test_other_classes_are_named_and_all_but_the_classifier_is_loaded_when_asked(
    form: str, state: Mapping[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(dict(state) if form == "ours" else {"state_dict": to_segmentor_state(state)}, path)
    other = replace(DESIGN, num_classes=4)
    with pytest.raises(CheckpointError, match=r"it is for 7 classes, the network has 4; .*--skip-classifier"):
        read_state(path, other)
    found = read_state(path, other, skip_classifier=True)
    assert found.kept == ("head.classifier.weight", "head.classifier.bias")
    assert found.state["head.classifier.weight"].shape[0] == 4
    assert torch.equal(found.state["head.fuse.conv.weight"], state["head.fuse.conv.weight"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float, state: Mapping[str, Tensor], tmp_path: Path) -> None:
    spoilt = {name: torch.full_like(tensor, value) for name, tensor in state.items() if tensor.is_floating_point()}
    torch.save({**state, **spoilt}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"holds weights that are not finite, in .* the training .* diverged"):
        read_trained(tmp_path / "weights.pt", DESIGN)
