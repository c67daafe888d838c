"""What torch compiles the lean loop's network with, or why it cannot here."""

import importlib.util
import os
import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from topformer.errors import StudyError

_COMPILERS = ("c++", "g++", "clang++")


def compiled(model: nn.Module, how: str, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The network's forward pass, compiled as `how` says.

    `cudagraphs` is torch's own backend of that name; it has never been run by us.

    Args:
        model: The network, whose tensors stay its own.
        how: `none`, `inductor` or `cudagraphs`.
        device: Where it runs.

    Raises:
        StudyError: This machine or device has not what `how` needs.
    """
    if how == "none":
        return model
    if how == "cudagraphs" and device.type != "cuda":
        raise StudyError(f"compile cudagraphs needs a CUDA device, got {device.type}; accepted here: none, inductor")
    if how == "inductor" and device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise StudyError("compile inductor needs triton on a CUDA device; accepted here: none, cudagraphs")
    if how == "inductor" and device.type == "cpu" and not _has_compiler():
        raise StudyError(f"compile inductor needs a C++ compiler ({', '.join(_COMPILERS)}); accepted here: none")
    return torch.compile(model, backend=how)


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), *_COMPILERS) if name)
