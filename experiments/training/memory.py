"""Memory of a training: what is freed is kept for the next iteration, and what runs out is named."""

import ctypes
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

import torch

from topformer.errors import MachineError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h)."""

_KEPT_BYTES = 1 << 30
_SIGNS = (
    "can't allocate memory",
    "bad_alloc",
    "out of memory",
    "could not create a memory",
    # All that oneDNN says where it gets no memory for its code.
    "could not create a primitive",
    "ALLOC_FAILED",
)
"""In the messages of torch's allocator for CPUs, C++, CUDA, oneDNN, and cuDNN and cuBLAS."""
_LOADING = "DataLoader worker"
"""In the messages of a process that loads data: of one that ended, and of one that says why."""
_GONE = ("killed by signal", "exited unexpectedly")
"""In the messages of torch about a process that loads data and is gone."""
_SHOWN = 300
"""Characters of torch's message that are shown; its figures stand at its beginning."""


def keep_freed_memory() -> bool:
    """Let the C library keep up to 1 GiB of freed memory for the process, instead of giving it back each time.

    Without it every large activation is mapped, zeroed and unmapped again: measured on NANO at 128 px and batch 8,
    9,500 page faults and 53 ms of CPU time per forward and backward pass against 85 and 35 ms with it.

    Returns:
        Whether the C library has such a setting; glibc has, musl, macOS and Windows have not, and nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _KEPT_BYTES))


@contextmanager
def naming_what_ran_out(batch: int, height: int, width: int) -> Iterator[None]:
    """Memory that runs out within ends the block with an error that a user can act on.

    Args:
        batch: Images per iteration and process.
        height: Height of a training image.
        width: Its width.

    Raises:
        MachineError: Memory ran out; the message names the batch, the size and torch's own figures.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        figures = " ".join(str(error).split())[:_SHOWN] or type(error).__name__
        remedy = _remedy(error) or (
            f"memory ran out with a batch of {batch} at {height} x {width} px; a smaller batch or crop needs less"
        )
        raise MachineError(f"{remedy}: {figures}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU or a CUDA device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(s in said for s in (*_SIGNS, *_GONE))


def _remedy(error: BaseException) -> str | None:
    """What helps where the batch is not the cause."""
    if _LOADING in str(error):
        return "a process that loads data ended, most often for lack of memory; fewer workers need less"
    if any(frame.f_code.co_name in ("val_step", "validate") for frame, _ in walk_tb(error.__traceback__)):
        return "memory ran out in the validation, which takes its images whole; smaller ones need less"
    return None
