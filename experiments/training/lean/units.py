"""Convolution units as the lean loop trains them on a CPU: the same numbers up to rounding, fewer passes over memory.

Shapes: n pixels of the whole batch, I input and O output channels. A map (B, C, H, W) in channels-last memory is a
matrix (n, C) without a copy. Training a small network on a CPU is bound by memory traffic, and the hidden maps of the
token pyramid are most of it.

Both functions overwrite the gradient that they are given. This is safe where the unit's output has one reader that
makes this gradient anew, such as the depthwise convolution or the projection of a row; `adopt` uses them nowhere else.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from topformer.layers import ConvUnit
from topformer.network import TopFormer

_Grads = tuple[Tensor | None, ...]


class ExpandUnit(ConvUnit):
    """A unit of 1x1 convolution, BatchNorm and ReLU, for a row's expansion.

    The statistics of the convolution's output follow from mean and covariance of its narrow input, so that the wide
    output is written once and normalised by the weights of the convolution itself.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, O, H, W) from (B, I, H, W)."""
        if not self.training:
            return plain(self, x)
        norm, pixels = self.norm, x.numel() // x.shape[1]
        y_BOHW, mean_O, var_O = _Expand.apply(  # type: ignore[no-untyped-call]
            x, self.conv.weight, norm.weight, norm.bias, norm.eps
        )
        _track(norm, mean_O, var_O * (pixels / max(pixels - 1, 1)))
        return y_BOHW  # type: ignore[no-any-return]


class DepthwiseUnit(ConvUnit):
    """A unit of convolution, BatchNorm and ReLU whose ReLU works in place, forward and backward."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, O, H, W) from (B, I, H, W)."""
        if not self.training:
            return plain(self, x)
        y_BOHW: Tensor = _Cut.apply(self.norm(self.conv(x)))  # type: ignore[no-untyped-call]
        return y_BOHW


def plain(unit: ConvUnit, x: Tensor) -> Tensor:
    """The unit's children one after the other."""
    for child in unit:
        x = child(x)
    return x


def adopt(model: TopFormer) -> None:
    """Let the rows of a network's pyramid train through the units of this module; names and tensors stay."""
    # The fused convolution is oneDNN's.
    expand = (("expand", ExpandUnit),) if torch.backends.mkldnn.is_available() else ()  # type: ignore[no-untyped-call]
    for row in model.backbone.pyramid.rows:
        for name, kind in (*expand, ("depthwise", DepthwiseUnit)):
            if hasattr(row, name):
                setattr(row, name, _as(kind, getattr(row, name)))


def _as(kind: type[ConvUnit], unit: ConvUnit) -> ConvUnit:
    made = kind.__new__(kind)
    nn.Sequential.__init__(made)
    for name, child in unit.named_children():
        made.add_module(name, child)
    return made.train(unit.training)


def _track(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Move the running statistics, as BatchNorm does in training."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(var, share)


class _Cut(torch.autograd.Function):
    """ReLU that overwrites its input, and its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        functional.relu_(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _cut(grad, y)


def _cut(grad: Tensor, y: Tensor) -> Tensor:
    """The gradient before a ReLU with output `y`, written over the one behind it."""
    return torch.ops.aten.threshold_backward.grad_input(grad, y, 0.0, grad_input=grad)  # type: ignore[no-any-return]


class _Expand(torch.autograd.Function):
    """relu(gamma * (x W' - mean) / sqrt(var + eps) + beta), with its batch's mean and variance (biased).

    With x centred, C = x'x / n: mean = W mean(x), var_o = W_o C W_o', and y = relu(x (s W)' + beta), s = gamma / std.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, gamma_O: Tensor, beta_O: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x_nI, w_OI = _matrix(x), weight.flatten(1)
        mean_I = x_nI.mean(0)
        centred_nI = x_nI - mean_I
        wc_OI = w_OI @ (centred_nI.T @ centred_nI / len(x_nI))
        var_O = (wc_OI * w_OI).sum(1)
        inverse_O = (var_O + eps).rsqrt()
        scaled = (w_OI * (gamma_O * inverse_O)[:, None])[:, :, None, None]
        y = torch.ops.mkldnn._convolution_pointwise(
            _map(centred_nI, x), scaled, beta_O, (0, 0), (1, 1), (1, 1), 1, "relu", [], ""
        )
        mean_O = w_OI @ mean_I
        ctx.save_for_backward(centred_nI, w_OI, gamma_O, wc_OI, inverse_O, y)
        ctx.mark_non_differentiable(mean_O, var_O)
        return y, mean_O, var_O

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> _Grads:
        centred_nI, w_OI, gamma_O, wc_OI, inverse_O, y = ctx.saved_tensors
        grad_nO = _matrix(_cut(grad, y))
        scale_O = gamma_O * inverse_O
        beta_grad_O = torch.mv(grad_nO.T, grad_nO.new_ones(len(grad_nO)))
        outer_OI = (centred_nI.T @ grad_nO).T
        scale_grad_O = (outer_OI * w_OI).sum(1)
        # Through the variance: d scale / d var = -gamma / (2 std^3), d var / d W_o = 2 C W_o, d var / d C = W_o' W_o.
        pull_O1 = (scale_grad_O * gamma_O * inverse_O**3)[:, None]
        w_grad_OI = outer_OI * scale_O[:, None] - pull_O1 * wc_OI
        scaled_OI = w_OI * scale_O[:, None]
        x_grad_nI = grad_nO @ scaled_OI
        x_grad_nI.addmm_(centred_nI, w_OI.T @ (pull_O1 * w_OI), alpha=-1 / len(grad_nO))
        x_grad_nI.sub_(beta_grad_O @ scaled_OI / len(grad_nO))
        return _map(x_grad_nI, y), w_grad_OI[:, :, None, None], scale_grad_O * inverse_O, beta_grad_O, None


def _matrix(x: Tensor) -> Tensor:
    """(B H W, C) of a map (B, C, H, W)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _map(x: Tensor, like: Tensor) -> Tensor:
    """A matrix (B H W, C) as a map (B, C, H, W) of another's grid."""
    return x.view(like.shape[0], *like.shape[2:], -1).permute(0, 3, 1, 2)
