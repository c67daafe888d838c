"""The walk of foreign modules, with the arithmetic written out."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from search_space.operations.operation import Kind, Operation
from search_space.operations.walk import walk
from topformer.errors import InputError, UnknownOperator


class Lambda(nn.Module):
    """A module whose forward is a function of the module and its input."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **children: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.function(self, x)
        return output


def names(steps: tuple[Operation, ...]) -> list[str]:
    return [step.name for step in steps]


def test_a_convolution_block_is_three_steps_that_read_one_another() -> None:
    block = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
    )
    assert walk(block, 10, 14) == (
        Operation(
            Kind.CONV, "conv2d", "0", ((1, 3, 10, 14),), (1, 8, 5, 7), (0,), 1, 3 * 8 * 9, (3, 3), (2, 2), (1, 1), 1
        ),
        Operation(Kind.NORM, "batch_norm", "1", ((1, 8, 5, 7),), (1, 8, 5, 7), (1,), 2, 16),
        Operation(Kind.ACTIVATION, "relu6", "2", ((1, 8, 5, 7),), (1, 8, 5, 7), (2,), 3),
    )


def test_macs_of_a_dilated_grouped_convolution() -> None:
    (step,) = walk(nn.Conv2d(6, 12, (3, 5), dilation=2, padding=(2, 4), groups=3), 9, 11, channels=6)
    assert (step.kernel, step.dilation, step.groups) == ((3, 5), (2, 2), 3)
    assert step.macs == 12 * 9 * 11 * 3 * 5 * 2
    assert step.parameters == 12 * 2 * 15 + 12


def test_a_linear_layer_on_tokens_counts_weight_bias_and_macs() -> None:
    mlp = Lambda(
        lambda self, x: self.out(functional.gelu(self.hidden(x.flatten(2).transpose(1, 2)))), hidden=nn.Linear(3, 7)
    )
    mlp.add_module("out", nn.Linear(7, 5, bias=False))
    hidden, gelu, out = walk(mlp, 4, 6)
    assert (hidden.kind, hidden.module, hidden.parameters, hidden.macs) == (Kind.MATMUL, "hidden", 28, 24 * 3 * 7)
    assert (gelu.kind, gelu.name, gelu.module, gelu.parameters) == (Kind.ACTIVATION, "gelu", "", 0)
    assert (out.parameters, out.macs, out.reads) == (35, 24 * 7 * 5, (gelu.writes,))


def heads(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2).contiguous().reshape(1, -1, 2, 4).permute(0, 2, 1, 3)


def attend(_: nn.Module, x: Tensor) -> Tensor:
    tokens = heads(x)
    weights = (tokens @ tokens.transpose(-1, -2)).softmax(dim=-1)
    return weights @ tokens


def test_attention_reads_views_by_the_tensor_behind_them() -> None:
    scores, softmax, mixed = walk(Lambda(attend), 3, 5, channels=8)
    assert (scores.inputs, scores.output) == (((1, 2, 15, 4), (1, 2, 4, 15)), (1, 2, 15, 15))
    assert (scores.reads, softmax.reads, mixed.reads) == ((0, 0), (1,), (2, 0))
    assert scores.macs == mixed.macs == 2 * 15 * 15 * 4


def test_fused_attention_is_the_steps_that_it_fuses() -> None:
    fused = Lambda(lambda _, x: functional.scaled_dot_product_attention(heads(x), heads(x), heads(x)))
    assert walk(fused, 3, 5, channels=8) == walk(Lambda(attend), 3, 5, channels=8)


def test_multi_head_attention_uses_each_packed_weight_once() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self: Any, x: Tensor) -> Any:
        tokens = x.flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens * 2, tokens, need_weights=False)[0]

    steps = walk(Lambda(forward, attention=attention), 3, 5, channels=8)
    assert sum(step.parameters for step in steps) == sum(p.numel() for p in attention.parameters())
    assert sum(step.macs for step in steps) == 15 * 8 * 8 * 4 + 2 * 15 * 15 * 8


@pytest.mark.parametrize(
    ("function", "kind", "name"),
    [
        (functional.relu, Kind.ACTIVATION, "relu"),
        (torch.relu_, Kind.ACTIVATION, "relu"),
        (lambda x: x.clamp(min=0), Kind.ACTIVATION, "relu"),
        (functional.relu6, Kind.ACTIVATION, "relu6"),
        (lambda x: x.clamp(0, 6), Kind.ACTIVATION, "relu6"),
        (lambda x: x.clamp(0, 5), Kind.ACTIVATION, "clamp"),
        (functional.hardsigmoid, Kind.ACTIVATION, "hardsigmoid"),
        (functional.hardswish, Kind.ACTIVATION, "hardswish"),
        (lambda x: functional.layer_norm(x, x.shape[1:]), Kind.NORM, "layer_norm"),
        (lambda x: functional.group_norm(x, 2), Kind.NORM, "group_norm"),
        (lambda x: x.mean((2, 3), keepdim=True), Kind.POOL, "avg_pool"),
        (lambda x: functional.adaptive_avg_pool2d(x, (2, 3)), Kind.POOL, "avg_pool"),
        (lambda x: functional.max_pool2d(x, 2), Kind.POOL, "max_pool"),
        (lambda x: x.mean(1), Kind.POOL, "mean"),
        (lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"), Kind.RESIZE, "bilinear"),
        (lambda x: functional.interpolate(x, size=(7, 5)), Kind.RESIZE, "nearest"),
        (lambda x: torch.cat([x], dim=1), Kind.CONCAT, "cat"),
        (lambda x: x / 6, Kind.ELEMENTWISE, "div"),
        (lambda x: functional.pixel_shuffle(x, 2), Kind.UNKNOWN, "pixel_shuffle"),
        (lambda x: torch.fft.rfft(x), Kind.UNKNOWN, "_fft_r2c"),
        (lambda x: x.argmax(1), Kind.UNKNOWN, "argmax"),
    ],
)
def test_one_call_is_one_step(function: Callable[[Tensor], Tensor], kind: Kind, name: str) -> None:
    (step,) = walk(Lambda(lambda _, x: function(x)), 6, 8, channels=4)
    assert (step.kind, step.name, step.reads, step.writes) == (kind, name, (0,), 1)


def test_what_moves_no_data_is_no_step() -> None:
    def forward(_: nn.Module, x: Tensor) -> Tensor:
        a, b = functional.dropout(x, 0.5, training=False).chunk(2, dim=1)
        return (a.permute(0, 2, 3, 1).contiguous().flatten(1).view(1, 3, -1), b[:, :1])[0]

    assert walk(Lambda(forward), 6, 6, channels=4) == ()


def test_what_is_made_of_weights_alone_is_no_step() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True))

    (step,) = walk(Standardised(3, 4, 3, bias=False), 8, 8)
    assert (step.name, step.parameters) == ("conv2d", 3 * 4 * 9)


def test_a_weight_on_the_left_is_the_same_work_as_on_the_right() -> None:
    left = nn.Linear(6, 5, bias=False)
    steps = walk(Lambda(lambda self, x: self.left.weight @ x[0, 0], left=left), 6, 9)
    assert [step.macs for step in steps] == [5 * 6 * 9]


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (nn.ConvTranspose2d(3, 4, 2, stride=2), 3),
        (nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=8, bias=False), 8),
        (nn.ConvTranspose2d(8, 6, 3, stride=2, output_padding=1, groups=2), 8),
        (nn.Sequential(nn.Flatten(2), nn.ConvTranspose1d(3, 4, 3)), 3),
        (nn.Sequential(nn.Unflatten(1, (3, 2)), nn.ConvTranspose3d(3, 4, 2, stride=2)), 6),
        (nn.Sequential(nn.Unflatten(1, (3, 2)), nn.Conv3d(3, 4, (2, 3, 3))), 6),
    ],
)
def test_convolutions_of_every_form_multiply_what_torchs_own_counter_says(layer: nn.Module, channels: int) -> None:
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, channels, 5, 7))
    (step,) = walk(layer, 5, 7, channels=channels)
    assert step.kind is Kind.CONV
    assert 2 * step.macs == counter.get_total_flops()


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        # Gates x hidden x (read + hidden) at each of 24 places: 4 gates of an LSTM, 3 of a GRU, one of a plain layer.
        (nn.LSTM(3, 16, batch_first=True), 24 * 4 * 16 * (3 + 16)),
        (nn.LSTM(3, 16, bidirectional=True, num_layers=2), 24 * 2 * 4 * 16 * ((3 + 16) + (32 + 16))),
        (nn.GRU(3, 16, batch_first=True, bias=False), 24 * 3 * 16 * (3 + 16)),
        (nn.RNN(3, 16, nonlinearity="relu"), 24 * 16 * (3 + 16)),
    ],
)
def test_a_recurrent_layer_is_one_step_of_known_work(layer: nn.RNNBase, macs: int) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        output: Tensor = self.last(self.layer(self.first(x).flatten(2).transpose(1, 2))[0])
        return output

    width = 16 * (1 + layer.bidirectional)
    steps = walk(Lambda(forward, first=nn.Conv2d(3, 3, 1), layer=layer, last=nn.Linear(width, 2)), 4, 6)
    assert [step.module for step in steps] == ["first", "layer", "last"]
    assert [(step.reads, step.writes) for step in steps] == [((0,), 1), ((1,), 2), ((2,), 3)]
    assert (steps[1].name, steps[1].macs) == (layer.mode.partition("_")[0].lower(), macs)
    assert steps[1].parameters == sum(weight.numel() for weight in layer.parameters())


def compiled() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced: nn.Module = torch.jit.trace(nn.Conv2d(3, 8, 1), torch.zeros(1, 3, 8, 8))  # type: ignore[no-untyped-call]
    return traced


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (compiled(), r"the network is compiled by torch\.jit \(TopLevelTracedModule\).*give the nn\.Module"),
        (nn.Sequential(nn.Identity(), compiled()), r"the module 1 is compiled by torch\.jit"),
        (nn.Sequential(nn.LazyConv2d(8, 1)), r"the module 0 is lazy \(LazyConv2d\).*run it on an image"),
        (nn.LazyBatchNorm2d(), "the network is lazy"),
        (functional.relu, r"must be an nn\.Module, got builtin_function_or_method|must be an nn\.Module, got function"),
    ],
)
def test_what_cannot_be_walked_is_one_sentence(network: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        walk(network, 8, 8)


def test_a_step_knows_the_format_of_its_numbers() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert [step.dtype for step in walk(layers, 4, 4)] == ["float32", "float32"]
    assert [step.dtype for step in walk(layers.half(), 4, 4)] == ["float16", "float16"]
    assert {step.dtype for step in walk(Lambda(lambda _, x: x.double() * 2), 4, 4)} == {"float32", "float64"}


def test_macs_equal_those_of_torchs_own_counter() -> None:
    def forward(self: Any, x: Tensor) -> Any:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.encoder(tokens)

    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True, norm_first=True)
    network = Lambda(forward, patches=nn.Conv2d(3, 32, 4, 4), encoder=layer).eval()
    # The counter has no rule for the fused attention of CPUs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 24, 16))
    steps = walk(network, 24, 16)
    assert 2 * sum(step.macs for step in steps) == counter.get_total_flops()
    assert Counter(names(steps))["layer_norm"] == 2


class Remembering(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.last: Tensor | None = None
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros(()))
        self.table = torch.ones(2)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.calls = self.calls + 1
        self.table.mul_(3)
        self.last = self.norm(x)
        return self.last


def attributes(model: nn.Module) -> list[dict[str, object]]:
    """What every module holds, hooks included; tensors and modules by their identity."""

    def plain(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return id(value) if isinstance(value, (Tensor, nn.Module)) else value

    return [{name: plain(value) for name, value in vars(module).items()} for module in model.modules()]


def test_the_model_is_left_as_it_was() -> None:
    model = Remembering().train()
    untouched = attributes(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert names(walk(model, 4, 4)) == ["batch_norm"]
    assert model.training
    assert model.norm.training
    assert model.last is None
    assert model.table.tolist() == [1, 1]
    assert attributes(model) == untouched
    assert all(type(value) is Tensor and value.equal(before[name]) for name, value in model.state_dict().items())


def test_the_model_is_left_as_it_was_after_an_error() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 1)).train()
    before = attributes(model)
    with pytest.raises(InputError, match=r"Sequential does not run on an input of shape \(1, 3, 8, 8\)"):
        walk(model, 8, 8)
    assert attributes(model) == before


@pytest.mark.parametrize("function", [lambda x: x * 2 if x.sum() > 0 else x, lambda x: x[x > 0]])
def test_what_depends_on_the_content_of_the_image_is_refused(function: Callable[[Tensor], Tensor]) -> None:
    gate = Lambda(lambda _, x: function(x))
    with pytest.raises(UnknownOperator, match=r"cannot walk Sequential: in 1, the result of aten\.\w+.* decides"):
        walk(nn.Sequential(nn.ReLU(), gate), 4, 4)


def test_a_batch_scales_every_shape() -> None:
    (step,) = walk(nn.Conv2d(1, 2, 1), 5, 7, channels=1, batch=3)
    assert (step.inputs, step.output) == (((3, 1, 5, 7),), (3, 2, 5, 7))


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="height must be an integer of at least 1, got 0"):
        walk(nn.Identity(), 0, 4)


def test_half_precision_models_are_walked_in_their_own_precision() -> None:
    assert names(walk(nn.Conv2d(3, 4, 1).half(), 4, 4)) == ["conv2d"]
