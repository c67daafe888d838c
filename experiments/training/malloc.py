"""Keeps freed memory in the process, because a training asks for the same blocks again at every update."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt` (malloc.h)."""

_KEPT_BYTES = 1 << 30


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
