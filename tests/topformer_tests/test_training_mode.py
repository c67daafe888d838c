"""The network in training mode: how its tensors start, what is dropped, and which statistics its norms take.

What the release does is read off its sources. The backbone: mmseg/models/backbones/topformer.py of
github.com/hustvl/TopFormer, commit 24b7bec (`init_weights`, `Attention`, `DropPath`, `BasicLayer`), under the
SyncBatchNorm of its configurations. The head: mmcv's `ConvModule` and `kaiming_init`, and the `Dropout2d` and the
classifier of mmsegmentation's `BaseDecodeHead`, which the released head inherits.
"""

from dataclasses import replace
from math import prod, sqrt

import pytest
import torch
from torch import Tensor, nn

from tests.topformer_tests.golden import DESIGNS, filled, golden
from topformer.design import Design, Extractor, Head
from topformer.network import TopFormer
from topformer.presets import NANO, TINY
from topformer.weights.released import name_map


def expected_start(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and standard deviation of a tensor by its released name; shapes are (outputs, inputs / groups, k, k)."""
    if name.endswith((".bias", "running_mean", "num_batches_tracked", "proj.1.bn.weight")):
        return 0, 0
    if len(shape) == 1:
        return 1, 0
    if name == "decode_head.conv_seg.weight":
        return 0, 0.01
    if name.startswith("decode_head."):
        return 0, sqrt(2 / shape[0])
    depthwise = shape[1] == 1
    return 0, sqrt(2 * (shape[0] if depthwise else 1) / (shape[0] * prod(shape[2:])))


@pytest.mark.parametrize("case", DESIGNS)
def test_every_tensor_starts_as_in_the_release(case: str) -> None:
    torch.manual_seed(0)
    model = TopFormer(golden(case).design)
    ours = {released: model.state_dict()[name] for name, released in name_map(model).items()}
    assert {name: tuple(value.shape) for name, value in ours.items()} == dict(golden(case).shapes)
    for name, value in ours.items():
        mean, deviation = expected_start(name, tuple(value.shape))
        found = value.double()
        # Five standard errors of a mean and of a standard deviation.
        slack = 5 / sqrt(found.numel())
        assert abs(float(found.mean()) - mean) <= slack * deviation, name
        assert abs(float(found.std(correction=0)) - deviation) <= slack * deviation, name


def test_the_depthwise_fuse_convolution_of_tiny_starts_at_an_eighth() -> None:
    torch.manual_seed(1)
    weights = [TopFormer(TINY).state_dict()["head.fuse.conv.weight"] for _ in range(10)]
    assert float(torch.cat(weights).std()) == pytest.approx(0.125, rel=0.06)


def test_the_norms_that_start_at_0_are_those_of_the_projections_of_attention() -> None:
    model = TopFormer(NANO)
    norms = {name: norm.weight for name, norm in model.named_modules() if isinstance(norm, nn.BatchNorm2d)}
    zero = {name for name, weight in norms.items() if not weight.any()}
    assert zero == {f"backbone.extractor.blocks.{i}.attention.project.norm" for i in range(NANO.depth)}
    assert all(bool((weight == 1).all()) for name, weight in norms.items() if name not in zero)


def images(count: int) -> Tensor:
    return torch.randn(count, 3, 96, 160, generator=torch.Generator().manual_seed(count))


def moving(model: TopFormer) -> set[str]:
    return {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}


def test_attention_learns_from_the_second_update_on() -> None:
    """The weight of its last norm is 0, so that nothing before that norm has a gradient at first."""
    torch.manual_seed(2)
    model = TopFormer(NANO, drop_path=0, dropout=0).train()
    updates = torch.optim.SGD(model.parameters(), lr=0.1)
    held = {
        name
        for name, _ in model.named_parameters()
        if ".attention." in name and not name.endswith((".project.norm.weight", ".project.norm.bias"))
    }
    for still in (held, set()):
        updates.zero_grad()
        model(images(4)).square().mean().backward()
        assert held - moving(model) == still
        updates.step()


def seen(model: nn.Module, path: str, image: Tensor) -> tuple[Tensor, Tensor]:
    """What a module reads and gives in one pass of the network."""
    pairs: list[tuple[Tensor, Tensor]] = []
    module = model.get_submodule(path)
    handle = module.register_forward_hook(lambda _module, read, given: pairs.append((read[0], given)))
    model(image)
    handle.remove()
    return pairs[-1]


@pytest.mark.parametrize("head", Head)
def test_dropout_drops_whole_channels(head: Head) -> None:
    torch.manual_seed(3)
    model = filled(TopFormer(replace(NANO, head=head, width=144), dropout=0.25)).train()
    read, given = seen(model, "head.dropout", images(4))
    alive = read.abs().amax((2, 3)) > 0
    dropped = given.abs().amax((2, 3)) == 0
    torch.testing.assert_close(given, read * (~dropped)[:, :, None, None] / 0.75)
    share = float(dropped[alive].float().mean())
    assert share == pytest.approx(0.25, abs=0.1)
    # Each image loses channels of its own.
    assert len({tuple(row.tolist()) for row in dropped}) == 4


def test_stochastic_depth_drops_whole_images_and_never_in_the_first_block() -> None:
    torch.manual_seed(4)
    design = replace(NANO, blocks=NANO.blocks[:1] * 3)
    model = filled(TopFormer(design, drop_path=0.5)).train()
    for block, probability in enumerate((0, 0.25, 0.5)):
        read, given = seen(model, f"backbone.extractor.blocks.{block}.drop", images(64))
        dropped = given.abs().amax((1, 2, 3)) == 0
        torch.testing.assert_close(given, read * (~dropped)[:, None, None, None] / (1 - probability))
        # Four standard deviations of a share of 64 images.
        assert float(dropped.float().mean()) == pytest.approx(probability, abs=0.25 if probability else 0)


@pytest.mark.parametrize("path", ["backbone.pyramid.stem.norm", "backbone.extractor.blocks.1.ffn.project.norm"])
def test_norms_use_the_batch_and_keep_a_tenth_of_its_statistics(path: str) -> None:
    model = filled(TopFormer(NANO, drop_path=0, dropout=0))
    norm = model.get_submodule(path)
    held = {name: value.clone() for name, value in norm.state_dict().items()}
    read, given = seen(model.train(), path, images(4))
    mean, variance = read.mean((0, 2, 3)), read.var((0, 2, 3), correction=0)
    normal = (read - mean[:, None, None]) / (variance + 1e-5).sqrt()[:, None, None]
    expected = normal * held["weight"][:, None, None] + held["bias"][:, None, None]
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-4)
    now = norm.state_dict()
    values = read.numel() / read.shape[1]
    torch.testing.assert_close(now["running_mean"], 0.9 * held["running_mean"] + 0.1 * mean)
    torch.testing.assert_close(
        now["running_var"], 0.9 * held["running_var"] + 0.1 * variance * values / (values - 1), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    "design",
    [
        NANO,
        replace(NANO, head=Head.CONCAT),
        replace(NANO, head=Head.SUM_DEPTHWISE),
        replace(NANO, extractor=Extractor.FFN, extra_ffns=0.5),
        replace(NANO, extractor=Extractor.PPM, pool_stride=32),
        replace(NANO, extractor=Extractor.ASPP, pool_stride=32),
    ],
    ids=["plain", "concat", "depthwise", "ffn", "ppm", "aspp"],
)
def test_a_few_updates_with_everything_on_lower_the_loss(design: Design) -> None:
    torch.manual_seed(5)
    model = TopFormer(replace(design, num_classes=3)).train()
    labels = torch.arange(4) % 3
    images_B3HW = torch.eye(3)[labels][:, :, None, None].expand(4, 3, 64, 96) + 0.1 * torch.randn(4, 3, 64, 96)
    updates = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        updates.zero_grad()
        logits = model(images_B3HW)
        target = labels[:, None, None].expand(4, *logits.shape[2:])
        loss = nn.functional.cross_entropy(logits, target)
        loss.backward()  # type: ignore[no-untyped-call]
        updates.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(torch.log(torch.tensor(3.0)).item(), abs=0.3)
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]
