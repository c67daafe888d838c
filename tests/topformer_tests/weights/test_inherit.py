"""Inheritance: which positions are taken, what is reported, and when the network computes the same."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from topformer.design import Block, Design, Extractor, Head, Injection
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.presets import NANO, SMALL, TINY
from topformer.weights.inherit import inherit

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def random_state(design: Design) -> State:
    """Weights that differ everywhere, statistics of BatchNorm included."""
    state = TopFormer(design).state_dict()
    for name, value in state.items():
        if value.dtype.is_floating_point:
            value.copy_(torch.rand_like(value) + 0.5 if name.endswith(("running_var", "norm.weight")) else value)
    return state


def logits(design: Design, state: State) -> Tensor:
    model = TopFormer(design).eval()
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        result: Tensor = model(torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)))
    return result


def first(block: Block, **changes: object) -> tuple[Block, ...]:
    return (replace(block, **changes),) * 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "design",
    [
        TINY,
        SMALL,
        NANO,
        replace(NANO, head=Head.CONCAT),
        replace(NANO, injection=Injection.GATE_SUM_CBR),
        *(replace(NANO, extractor=kind) for kind in Extractor),
    ],
)
def test_the_same_design_inherits_everything(design: Design) -> None:
    state = random_state(design)
    result, report = inherit(state, design, design)
    assert (report.sliced, report.new) == ((), ())
    assert list(report.inherited) == list(result)
    assert all(torch.equal(result[name], state[name]) for name in state)


def test_a_narrower_pyramid_takes_one_prefix_per_scale_of_the_embedding() -> None:
    rows = tuple(replace(row, channels=c) for row, c in zip(NANO.rows, (16, 24, 64, 80), strict=True))
    state = random_state(NANO)
    result, report = inherit(state, NANO, replace(NANO, rows=rows))
    assert report.new == ()
    # NANO's embedding is 16 + 32 + 64 + 96; of the scales 24 and 80 channels stay.
    expected = [*range(16), *range(16, 40), *range(48, 112), *range(112, 192)]
    query = "backbone.extractor.blocks.0.attention.query.conv.weight"
    assert torch.equal(result[query], state[query][:, expected])
    project = "backbone.extractor.blocks.1.ffn.project.norm.running_mean"
    assert torch.equal(result[project], state[project][expected])
    expand = "backbone.pyramid.rows.2.expand.conv.weight"
    assert torch.equal(result[expand], state[expand][: 24 * 3, :24])
    info = "backbone.injection.scales.2.info.conv.weight"
    assert torch.equal(result[info], state[info][:, :80])
    assert {query, project, expand, info} <= set(report.sliced)
    assert "backbone.pyramid.rows.0.expand.conv.weight" in report.inherited


def test_queries_and_values_are_cut_head_by_head() -> None:
    state = random_state(NANO)
    narrower = replace(NANO, blocks=first(NANO.blocks[0], heads=3, key_dim=12))
    result, _ = inherit(state, NANO, narrower)
    name = "backbone.extractor.blocks.0.attention.{}.conv.weight"
    keys = [16 * head + i for head in range(3) for i in range(12)]
    values = [32 * head + i for head in range(3) for i in range(24)]
    assert torch.equal(result[name.format("key")], state[name.format("key")][keys])
    assert torch.equal(result[name.format("project")], state[name.format("project")][:, values])


def test_a_smaller_kernel_is_the_centre_of_the_larger() -> None:
    rows = tuple(replace(row, kernel=3) for row in TINY.rows)
    state = random_state(TINY)
    result, report = inherit(state, TINY, replace(TINY, rows=rows))
    name = "backbone.pyramid.rows.3.depthwise.conv.weight"
    assert torch.equal(result[name], state[name][:, :, 1:4, 1:4])
    assert all(".depthwise.conv.weight" in sliced for sliced in report.sliced)


def test_what_the_source_lacks_is_new_and_named() -> None:
    state = random_state(NANO)
    wider = replace(NANO, blocks=(*NANO.blocks, Block()), injected=(4, 8, 16, 32), num_classes=5)
    result, report = inherit(state, NANO, wider)
    news = {name.rsplit(".", 2)[0] for name in report.new if "extractor" not in name}
    assert news == {f"backbone.injection.scales.0.{part}" for part in ("local", "gate", "info")} | {"head"}
    assert all(n.startswith("backbone.extractor.blocks.2.") for n in report.new if "extractor" in n)
    assert report.sliced == ()
    assert torch.equal(
        result["backbone.injection.scales.1.local.conv.weight"], state["backbone.injection.scales.0.local.conv.weight"]
    )
    assert {*report.inherited, *report.new} == set(result)


def test_a_concatenating_head_keeps_the_maps_that_are_left() -> None:
    source = replace(NANO, head=Head.CONCAT)
    state = random_state(source)
    result, _ = inherit(state, source, replace(source, injected=(8, 32), width=100))
    # 5/18 of the width: 35 channels of each of three maps, of which 27 are left of the first and of the third.
    assert torch.equal(result["head.reduce.1.conv.weight"], state["head.reduce.2.conv.weight"][:27, :100])
    expected = [*range(27), *range(70, 97)]
    assert torch.equal(result["head.classifier.weight"], state["head.classifier.weight"][:, expected])


@pytest.mark.parametrize(("source", "wanted"), [(Head.SUM, Head.CONCAT), (Head.CONCAT, Head.SUM)])
def test_a_classifier_of_other_channels_is_new(source: Head, wanted: Head) -> None:
    origin = replace(NANO, head=source)
    _, report = inherit(random_state(origin), origin, replace(NANO, head=wanted))
    assert {name.split(".")[0] for name in report.new} == {"head"}
    assert {"head.classifier.weight", "head.classifier.bias"} <= set(report.new)


def test_a_concatenation_of_one_scale_inherits_as_a_sum() -> None:
    origin = replace(NANO, head=Head.CONCAT, injected=(8,))
    _, report = inherit(random_state(origin), origin, replace(origin, head=Head.SUM))
    assert report.new == report.sliced == ()


def silence(state: State, name: str, channels: int) -> None:
    """Nothing reads the input channels of a convolution from `kept` on."""
    state[name][:, channels:] = 0


def test_the_pooling_stride_has_no_weights() -> None:
    state = random_state(NANO)
    result, report = inherit(state, NANO, replace(NANO, pool_stride=32))
    assert len(report.inherited) == len(result)


def test_the_function_is_unchanged_where_the_dropped_channels_of_the_width_were_silent() -> None:
    source = replace(NANO, head=Head.SUM_DEPTHWISE)
    state = random_state(source)
    silence(state, "head.classifier.weight", 96)
    narrower = replace(source, width=96)
    result, report = inherit(state, source, narrower)
    assert "head.classifier.weight" in report.sliced
    torch.testing.assert_close(logits(narrower, result), logits(source, state))


def test_the_function_is_unchanged_where_the_dropped_heads_and_hidden_channels_were_silent() -> None:
    state = random_state(NANO)
    for i in range(2):
        silence(state, f"backbone.extractor.blocks.{i}.attention.project.conv.weight", 2 * 32)
        silence(state, f"backbone.extractor.blocks.{i}.ffn.project.conv.weight", 208)
    narrower = replace(NANO, blocks=first(NANO.blocks[0], heads=2, ffn_ratio=1.0))
    result, _ = inherit(state, NANO, narrower)
    torch.testing.assert_close(logits(narrower, result), logits(NANO, state))


def test_the_function_is_unchanged_where_the_dropped_block_did_nothing() -> None:
    state = random_state(NANO)
    for part in ("attention", "ffn"):
        for leaf in ("weight", "bias"):
            state[f"backbone.extractor.blocks.1.{part}.project.norm.{leaf}"].zero_()
    shorter = replace(NANO, blocks=NANO.blocks[:1])
    result, report = inherit(state, NANO, shorter)
    assert (report.sliced, report.new) == ((), ())
    torch.testing.assert_close(logits(shorter, result), logits(NANO, state))


def test_weights_of_another_design_are_refused() -> None:
    state = TopFormer(NANO).state_dict()
    del state["head.classifier.bias"]
    with pytest.raises(CheckpointError, match=r"not those of the source design; 1 tensors differ: head\.classifier"):
        inherit(state, NANO, NANO)
