"""The door to fvcore, thop and torch's FlopCounterMode: what other counters say about a built network."""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from search_space.operations.operation import Kind
from topformer.errors import UnknownOperator

with warnings.catch_warnings():
    # fvcore scripts functions of its own with torch.jit while it is imported; torch 2.13 deprecates that.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is ")
    # thop reads the version of torch with distutils while it is imported.
    warnings.filterwarnings("ignore", message="distutils Version classes are deprecated")
    import thop
    from fvcore.nn import FlopCountAnalysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one counter counts on one network.

    Attributes:
        counter: Its name.
        macs: Kind of operation to multiply-accumulates, in the counter's own convention; absent kinds are 0.
        unsupported: What it met and has no rule for, to how many times: aten operators, or classes of modules.
    """

    counter: str
    macs: Mapping[Kind, int]
    unsupported: Mapping[str, int]

    @property
    def total(self) -> int:
        """Sum over the kinds."""
        return sum(self.macs.values())


_FVCORE: Mapping[str, Kind] = MappingProxyType(
    {
        "conv": Kind.CONV,
        **dict.fromkeys(("matmul", "bmm", "mm", "addmm", "linear", "einsum"), Kind.MATMUL),
        **dict.fromkeys(("batch_norm", "group_norm", "layer_norm", "instance_norm"), Kind.NORM),
        **dict.fromkeys(("upsample_nearest2d", "upsample_bilinear2d", "grid_sampler"), Kind.RESIZE),
        "adaptive_avg_pool2d": Kind.POOL,
    }
)

_TORCH: Mapping[str, Kind] = MappingProxyType(
    {
        **dict.fromkeys(("convolution", "_convolution", "cudnn_convolution"), Kind.CONV),
        **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm"), Kind.MATMUL),
        **dict.fromkeys(
            (
                "_scaled_dot_product_efficient_attention",
                "_scaled_dot_product_flash_attention",
                "_scaled_dot_product_flash_attention_for_cpu",
                "_scaled_dot_product_cudnn_attention",
            ),
            Kind.MATMUL,
        ),
    }
)

_THOP: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Kind], ...] = (
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), Kind.CONV),
    ((nn.modules.batchnorm._BatchNorm, nn.LayerNorm), Kind.NORM),
    (nn.Linear, Kind.MATMUL),
    ((nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveMaxPool2d), Kind.POOL),
    (nn.Upsample, Kind.RESIZE),
    (nn.Softmax, Kind.SOFTMAX),
    ((nn.ReLU, nn.ReLU6, nn.PReLU, nn.LeakyReLU), Kind.ACTIVATION),
)

_THOP_FREE = (nn.Dropout, nn.Dropout2d, nn.Identity)
"""Modules that compute nothing in evaluation."""


def count_fvcore(model: nn.Module, height: int, width: int) -> Count:
    """What fvcore counts in evaluation on one image; it traces the model, about a second for a TopFormer-B.

    Raises:
        UnknownOperator: fvcore counts something that this project has no kind for.
    """
    with _evaluation(model):
        analysis = FlopCountAnalysis(model, _image(model, height, width))
        analysis.unsupported_ops_warnings(False)
        analysis.uncalled_modules_warnings(False)
        counted = analysis.by_operator()
        unsupported = dict(analysis.unsupported_ops())
    return Count(counter="fvcore", macs=_by_kind(counted, _FVCORE, "fvcore"), unsupported=unsupported)


def count_flop_counter_mode(model: nn.Module, height: int, width: int) -> Count:
    """What torch's FlopCounterMode counts in evaluation on one image, divided by two: it counts FLOPs, not MACs.

    It does not tell which operators it has no rule for; `unsupported` is empty.

    Raises:
        UnknownOperator: It counts something that this project has no kind for.
    """
    with _evaluation(model), FlopCounterMode(display=False) as mode:
        model(_image(model, height, width))
    counted = {str(name).removeprefix("aten."): flops // 2 for name, flops in mode.get_flop_counts()["Global"].items()}
    macs = _by_kind(counted, _TORCH, "FlopCounterMode")
    return Count(counter="FlopCounterMode / 2", macs=macs, unsupported={})


def count_thop(model: nn.Module, height: int, width: int) -> Count:
    """What thop counts in evaluation on one image: modules that it has a rule for, and no functional calls.

    Raises:
        UnknownOperator: thop counts a class of modules that this project has no kind for.
    """
    # thop leaves buffers in modules that it has no rule for; a copy keeps them out of the state dict.
    copy = deepcopy(model).eval()
    total, _, layers = thop.profile(copy, inputs=(_image(copy, height, width),), verbose=False, ret_layer_info=True)
    macs, unsupported = Counter[Kind](), Counter[str]()
    for name, module in copy.named_modules():
        if any(module.children()) or isinstance(module, _THOP_FREE):
            continue
        kind = next((kind for classes, kind in _THOP if isinstance(module, classes)), None)
        counted = _layer(layers, name) if name else round(total)
        if kind is not None:
            macs[kind] += counted
        elif counted:
            raise UnknownOperator(f"thop counts {type(module).__name__}, for which there is no kind of operation")
        else:
            unsupported[type(module).__name__] += 1
    return Count(counter="thop", macs={kind: n for kind, n in macs.items() if n}, unsupported=dict(unsupported))


def _layer(layers: Mapping[str, tuple[float, float, Mapping[str, object]]], path: str) -> int:
    """The count of one leaf in the nested answer of thop."""
    counted, below = 0.0, layers
    for name in path.split("."):
        counted, _, below = below[name]  # type: ignore[assignment]
    return round(counted)


def _by_kind(counted: Mapping[str, int], kinds: Mapping[str, Kind], counter: str) -> Mapping[Kind, int]:
    macs = Counter[Kind]()
    for name, number in counted.items():
        if name not in kinds:
            raise UnknownOperator(f"{counter} counts {name!r}, for which there is no kind of operation")
        macs[kinds[name]] += round(number)
    return dict(macs)


def _image(model: nn.Module, height: int, width: int) -> Tensor:
    parameter = next(model.parameters())
    return torch.zeros((1, 3, height, width), dtype=parameter.dtype, device=parameter.device)


@contextmanager
def _evaluation(model: nn.Module) -> Iterator[None]:
    """In eval mode and without gradients; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
