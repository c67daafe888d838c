"""Loading of released weights: the name map, the forms a file comes in, and what is refused."""

import argparse
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.topformer_tests.golden import DESIGNS, golden
from topformer.design import Design, Extractor, Head, Injection, Pooled
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.presets import NANO, TINY
from topformer.weights.released import load_released, name_map

State = dict[str, Tensor]


def network(design: Design = TINY) -> TopFormer:
    return TopFormer(design)


def released() -> State:
    return golden("tiny_released").state()


def imagenet() -> State:
    """An ImageNet checkpoint of the release: no prefix, no injection, no decode head, a classifier of its own."""
    body = {
        name.removeprefix("backbone."): tensor
        for name, tensor in released().items()
        if name.startswith(("backbone.tpm", "backbone.trans"))
    }
    return body | {"head.bn.weight": torch.ones(208), "head.l.weight": torch.ones(1000, 208)}


def stem(state: Mapping[str, Tensor]) -> Tensor:
    return state["backbone.tpm.stem.0.c.weight"]


@pytest.mark.parametrize("case", DESIGNS)
def test_the_name_map_meets_every_released_name_and_shape(case: str) -> None:
    model = network(golden(case).design)
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    names = name_map(model)
    assert {names[name]: shape for name, shape in ours.items()} == golden(case).shapes


@pytest.mark.parametrize("case", DESIGNS)
def test_the_name_map_can_be_turned_round(case: str) -> None:
    model = network(golden(case).design)
    back = {name: key for key, name in name_map(model).items()}
    assert {back[name] for name in golden(case).shapes} == set(model.state_dict())


def test_rows_without_expansion_start_with_the_depthwise_convolution() -> None:
    names = name_map(network())
    assert names["backbone.pyramid.rows.0.depthwise.conv.weight"] == "backbone.tpm.layer1.conv.0.c.weight"
    assert names["backbone.pyramid.rows.1.depthwise.conv.weight"] == "backbone.tpm.layer2.conv.2.c.weight"


def test_injected_scales_are_counted_over_all_scales_in_the_release() -> None:
    names = name_map(network(replace(TINY, injected=(16, 32))))
    assert names["backbone.injection.scales.0.gate.conv.weight"] == "backbone.SIM.2.global_act.conv.weight"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Injection.SUM, {"fuse1.conv.weight", "fuse2.conv.weight"}),
        (Injection.GATE, {"fuse1.conv.weight", "fuse2.conv.weight"}),
        (
            Injection.GATE_SUM_CBR,
            {"local_embedding.conv.weight", "global_embedding.conv.weight"}
            | {"global_act.conv.weight", "global_act.conv.bias"},
        ),
    ],
)
def test_other_injection_modules_have_their_released_names(kind: Injection, expected: set[str]) -> None:
    names = name_map(network(replace(NANO, injection=kind))).values()
    prefix = "backbone.SIM.1."
    assert {n.removeprefix(prefix) for n in names if n.startswith(prefix) and ".conv." in n} == expected


@pytest.mark.parametrize(
    "change", [{"pooled": Pooled.LAST}, {"extractor": Extractor.PPM}, {"head": Head.CONCAT}], ids=str
)
def test_designs_with_unreleased_parts_are_refused_by_field(change: dict[str, Any]) -> None:
    ((field, value),) = change.items()
    with pytest.raises(CheckpointError, match=f"no weights were released for {field}='{value.value}'"):
        load_released(network(replace(NANO, **change)), released())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "meta": {"epoch": 3}},
        lambda state: {"model": state},
        lambda state: {"state_dict_ema": state, "state_dict": {}},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {name.removeprefix("backbone."): tensor for name, tensor in state.items()},
        lambda state: OrderedDict(state),
    ],
    ids=["bare", "state_dict", "model", "ema", "module", "no backbone", "ordered"],
)
def test_a_checkpoint_may_come_in_many_forms(wrap: Callable[[State], Mapping[str, Any]]) -> None:
    model = network()
    report = load_released(model, wrap(released()))
    assert report.complete
    assert report.ignored == ()
    assert torch.equal(model.state_dict()["backbone.pyramid.stem.conv.weight"], stem(released()))


def test_averaged_weights_come_first() -> None:
    other = {name: tensor + 1 for name, tensor in released().items()}
    model = network()
    load_released(model, {"state_dict": released(), "state_dict_ema": other})
    assert torch.equal(model.state_dict()["backbone.pyramid.stem.conv.weight"], stem(other))


def test_an_imagenet_checkpoint_loads_pyramid_and_extractor_and_names_the_rest() -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = load_released(model, {"state_dict_ema": imagenet()})
    assert not report.complete
    assert {name.split(".")[1] for name in report.loaded} == {"pyramid", "extractor"}
    assert all(name.startswith(("backbone.injection.", "head.")) for name in report.kept)
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in report.kept)
    assert set(report.ignored) == {"head.bn.weight", "head.l.weight"}


def test_counters_of_batches_may_be_absent() -> None:
    state = {name: tensor for name, tensor in released().items() if not name.endswith("num_batches_tracked")}
    report = load_released(network(), state)
    assert report.complete
    assert {name.rsplit(".", 1)[1] for name in report.kept} == {"num_batches_tracked"}


def test_an_auxiliary_head_is_ignored_by_name() -> None:
    report = load_released(network(), released() | {"auxiliary_head.conv_seg.bias": torch.ones(150)})
    assert report.ignored == ("auxiliary_head.conv_seg.bias",)


def test_every_misfit_is_listed_at_once_and_nothing_is_loaded() -> None:
    state = released()
    del state["backbone.tpm.layer3.conv.2.bn.weight"]
    state["backbone.trans.transformer_blocks.4.mlp.dwconv.bias"] = torch.ones(416)
    state["decode_head.linear_fuse.conv.weight"] = torch.ones(128, 128, 1, 1)
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_released(model, state)
    message = str(caught.value)
    assert "1 missing: backbone.tpm.layer3.conv.2.bn.weight" in message
    assert "1 unexpected: backbone.trans.transformer_blocks.4.mlp.dwconv.bias" in message
    assert "decode_head.linear_fuse.conv.weight (128, 128, 1, 1) for (128, 1, 1, 1)" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_half_a_head_is_refused() -> None:
    state = {name: tensor for name, tensor in released().items() if "linear_fuse" not in name}  # one unit
    with pytest.raises(CheckpointError, match="5 missing"):
        load_released(network(), state)


def test_other_classes_are_refused_with_the_way_out() -> None:
    with pytest.raises(CheckpointError, match=r"conv_seg\.bias \(150,\) for \(59,\).*skip_classifier=True"):
        load_released(network(replace(TINY, num_classes=59)), released())


def test_the_classifier_is_skipped_when_asked() -> None:
    report = load_released(network(replace(TINY, num_classes=59)), released(), skip_classifier=True)
    assert set(report.kept) == {"head.classifier.weight", "head.classifier.bias"}
    assert set(report.ignored) == {"decode_head.conv_seg.weight", "decode_head.conv_seg.bias"}


@pytest.mark.parametrize(
    "content",
    [{}, {"state_dict": {}}, {"weights": released}, {"state_dict": [1]}],
    ids=["nothing", "no tensor", "a function", "a list"],
)
def test_a_checkpoint_without_tensors_is_refused(content: Mapping[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="must hold tensors"):
        load_released(network(), content)


@pytest.mark.parametrize("old_format", [False, True], ids=["zip", "legacy"])
def test_a_file_with_plain_metadata_is_read(tmp_path: Path, old_format: bool) -> None:
    path = tmp_path / "topformer.pth"
    plain = {
        "args": argparse.Namespace(lr=0.1),
        "metric": np.float64(66.2),
        "meta": {"best": np.float32(1), "iter": np.int64(160000), "PALETTE": np.zeros((2, 3), np.uint8)},
    }
    torch.save({"state_dict": released(), **plain}, path, _use_new_zipfile_serialization=not old_format)
    model = network()
    assert load_released(model, path).complete
    assert torch.equal(model.state_dict()["backbone.pyramid.stem.conv.weight"], stem(released()))


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare pickle"])
def test_a_file_that_would_run_code_is_refused_and_does_not_run_it(tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "bad.pth", tmp_path / "ran"
    content = {"state_dict": released(), "meta": Malicious(mark)}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Malicious(mark), protocol=2))
    with pytest.raises(CheckpointError, match=r"bad\.pth"):
        load_released(network(), path)
    assert not mark.exists()


def test_a_malicious_file_would_run_its_code_with_plain_pickle(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pickle.loads(pickle.dumps(Malicious(mark)))
    assert mark.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"], ids=["empty", "text", "zip"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"broken\.pth"):
        load_released(network(), path)


def test_an_absent_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.pth cannot be read"):
        load_released(network(), tmp_path / "absent.pth")


def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    torch.save([torch.ones(1)], path)
    with pytest.raises(CheckpointError, match="got list"):
        load_released(network(), path)
