"""Semantics injection: global semantics flow into the local tokens of each chosen scale."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn

from topformer.design import Injection
from topformer.layers import BiasConvUnit, ConvUnit, grid, resize


class GateSum(nn.Module):
    """local * gate + info, where `gate` ends in a hard sigmoid; the released module.

    Reference: Zhang et al., TopFormer, CVPR 2022, section 3.3 and Figure 2.
    """

    def __init__(self, *, local: nn.Module, gate: nn.Module, info: nn.Module) -> None:
        super().__init__()
        self.local = local
        self.gate = gate
        self.info = info

    def forward(self, tokens: Tensor, semantics: Tensor) -> Tensor:
        """(B, M, H, W) from tokens (B, C, H, W) and semantics (B, C, h, w), which may be coarser."""
        local_BMHW: Tensor = self.local(tokens)
        # Resized behind the hard sigmoid, as in the release; the two do not commute.
        gate_BMHW = resize(self.gate(semantics), grid(tokens))
        return local_BMHW * gate_BMHW + resize(self.info(semantics), grid(tokens))


class Gate(nn.Module):
    """local * gate."""

    def __init__(self, *, local: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.local = local
        self.gate = gate

    def forward(self, tokens: Tensor, semantics: Tensor) -> Tensor:
        """(B, M, H, W) from tokens (B, C, H, W) and semantics (B, C, h, w), which may be coarser."""
        local_BMHW: Tensor = self.local(tokens)
        return local_BMHW * resize(self.gate(semantics), grid(tokens))


class Sum(nn.Module):
    """local + info."""

    def __init__(self, *, local: nn.Module, info: nn.Module) -> None:
        super().__init__()
        self.local = local
        self.info = info

    def forward(self, tokens: Tensor, semantics: Tensor) -> Tensor:
        """(B, M, H, W) from tokens (B, C, H, W) and semantics (B, C, h, w), which may be coarser."""
        local_BMHW: Tensor = self.local(tokens)
        return local_BMHW + resize(self.info(semantics), grid(tokens))


def _gate_sum(channels: int, width: int) -> nn.Module:
    return GateSum(
        local=ConvUnit(channels, width),
        gate=ConvUnit(channels, width, act=nn.Hardsigmoid()),
        info=ConvUnit(channels, width),
    )


def _gate(channels: int, width: int) -> nn.Module:
    return Gate(local=ConvUnit(channels, width), gate=ConvUnit(channels, width, act=nn.Hardsigmoid()))


def _sum(channels: int, width: int) -> nn.Module:
    return Sum(local=ConvUnit(channels, width), info=ConvUnit(channels, width))


def _gate_sum_cbr(channels: int, width: int) -> nn.Module:
    return GateSum(
        local=ConvUnit(channels, width, act=nn.ReLU()),
        gate=BiasConvUnit(channels, width, act=nn.Hardsigmoid()),
        info=ConvUnit(channels, width, act=nn.ReLU()),
    )


INJECTIONS: Mapping[Injection, Callable[[int, int], nn.Module]] = MappingProxyType(
    {
        Injection.GATE_SUM: _gate_sum,
        Injection.GATE: _gate,
        Injection.SUM: _sum,
        Injection.GATE_SUM_CBR: _gate_sum_cbr,
    }
)
"""What builds the module of one scale: from the channels of its tokens and semantics to the width M."""


class SemanticsInjection(nn.Module):
    """One injection module per chosen scale, each with its own segment of the semantics' channels.

    Args:
        kind: Kind of the modules.
        channels: Channels of all token maps, finest first; the semantics have their sum.
        chosen: Positions of the maps that are injected, finest first.
        width: Channels M of the results.
    """

    def __init__(self, kind: Injection, channels: Sequence[int], chosen: Sequence[int], width: int) -> None:
        super().__init__()
        self.channels = list(channels)
        self.chosen = tuple(chosen)
        self.scales = nn.ModuleList(INJECTIONS[kind](self.channels[i], width) for i in self.chosen)

    def forward(self, tokens: Sequence[Tensor], semantics: Tensor) -> tuple[Tensor, ...]:
        """Injected maps, finest first; each is (B, M, H_i, W_i)."""
        segments = torch.split(semantics, self.channels, dim=1)
        return tuple(scale(tokens[i], segments[i]) for scale, i in zip(self.scales, self.chosen, strict=True))
