"""The pixel loss of the lean loop, and its resizing of maps."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from experiments.data.folders import IGNORED


def pixel_loss(logits: Tensor, labels: Tensor, stride: int = 1) -> Tensor:
    """Cross-entropy at label resolution, summed over the labelled pixels and divided by all, as in mmsegmentation.

    The gradient can be asked for once.

    Args:
        logits: (B, K, h, w).
        labels: (B, H, W) class numbers, 255 = ignored.
        stride: Only every stride-th row and column of the labels counts; what counts is computed as without it.
    """
    first = stride // 2
    chosen = labels[:, first::stride, first::stride].long()
    rows = _weights(logits.shape[2], labels.shape[1], logits.device)[first::stride]
    columns = _weights(logits.shape[3], labels.shape[2], logits.device)[first::stride]
    loss: Tensor = _PixelLoss.apply(  # type: ignore[no-untyped-call]
        logits, chosen, rows.to(logits.dtype), columns.to(logits.dtype)
    )
    return loss


class _PixelLoss(torch.autograd.Function):
    """Upsampling by two matrices (H, h) and (W, w) and cross-entropy; the backward pass overwrites what it was left."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        whole_BKHW = rows @ (logits.contiguous() @ columns.T)
        counted_B1HW = (labels != IGNORED)[:, None]
        target_B1HW = labels[:, None] * counted_B1HW
        # The largest logit is taken off, so that the exponential is finite.
        whole_BKHW.sub_(whole_BKHW.amax(1, keepdim=True))
        right_B1HW = whole_BKHW.gather(1, target_B1HW)
        total_B1HW = whole_BKHW.exp_().sum(1, keepdim=True)
        weight_B1HW = counted_B1HW / (total_B1HW * labels.numel())
        ctx.save_for_backward(whole_BKHW, weight_B1HW, counted_B1HW, target_B1HW, rows, columns)
        return ((total_B1HW.log() - right_B1HW) * counted_B1HW).sum() / labels.numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        exponential_BKHW, weight_B1HW, counted_B1HW, target_B1HW, rows, columns = ctx.saved_tensors
        pull_BKHW = exponential_BKHW.mul_(weight_B1HW)
        pull_BKHW.scatter_add_(1, target_B1HW, counted_B1HW.to(pull_BKHW.dtype) / -counted_B1HW.numel())
        return (rows.T @ (pull_BKHW @ columns)) * grad, None, None, None


def upsampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, K, h, w) at another size, bilinear without aligned corners, as two matrix products.

    The same numbers as `functional.interpolate` up to rounding.
    """
    if maps.shape[2:] == size:
        return maps
    rows = _weights(maps.shape[2], size[0], maps.device).to(maps.dtype)
    columns = _weights(maps.shape[3], size[1], maps.device).to(maps.dtype)
    return rows @ (maps.contiguous() @ columns.T)


@lru_cache(maxsize=64)
def _weights(source: int, target: int, device: torch.device) -> Tensor:
    """(target, source) weights of a linear interpolation."""
    with torch.inference_mode(mode=False):
        eye = torch.eye(source)[None]
        return functional.interpolate(eye, size=target, mode="linear", align_corners=False)[0].T.contiguous().to(device)
