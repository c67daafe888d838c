"""What a training does when memory runs out: it measures what an image takes, and says which batch would fit."""

import errno
import gc
import resource
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from experiments.evaluators.mmseg_processes import world_size
from topformer.errors import EvaluationError
from topformer.mmseg import quiet

with quiet():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

_KEPT_SHARE, _KEPT_BYTES = 0.15, 256 << 20
"""Kept aside from the free memory for what is no tensor: kernels' own buffers, fragments, threads.

On one CPU core a forward and backward pass of Base (256 px, 150 classes, batch 8) took 1,305 MiB where its tensors
count 1,312; of Tiny (128 px, 11 classes, batch 16) 281 where they count 169; of Nano (batch 32) 334 and 249.
"""
_STATE = 5
"""Tensors per weight beside the activations: weight, gradient, its bucket among processes, and two moments of AdamW."""
_MEBIBYTE = 1 << 20
_SIGNS = (
    "can't allocate memory",
    "bad_alloc",
    "out of memory",
    "could not create a memory",
    "ALLOC_FAILED",
)
"""In the messages of torch's allocator for CPUs, C++, CUDA, oneDNN, and cuDNN and cuBLAS."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Memory of an update in bytes: a fixed part, and one per image."""

    fixed: int
    per_image: int

    def largest(self, free: int) -> int:
        """The largest number of images that fits into `free` bytes, by this estimate; 0 if none does."""
        usable = free * (1 - _KEPT_SHARE) - _KEPT_BYTES - self.fixed
        return max(0, int(usable // self.per_image))


def explained(run: Callable[[], Result], segmentor: Callable[[], Any], *, batch: int, precision: str) -> Result:
    """What `run` gives.

    Args:
        run: A training; nothing of it may be alive when it ends with an error.
        segmentor: Builds its network anew, to be measured where memory ran out.
        batch: Images per update and process.
        precision: float32, or bfloat16.

    Raises:
        EvaluationError: Memory ran out; the message says which batch would fit.
    """
    free = free_bytes()
    try:
        return run()
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
    # Here, where the error and with it the failed update's tensors are gone.
    gc.collect()
    try:
        need = measured(segmentor(), precision=precision)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        need = None
    raise EvaluationError(advice(need, free, batch=batch, processes=world_size()))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU or a CUDA device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in str(error) for sign in _SIGNS)


def advice(need: Need | None, free: int, *, batch: int, processes: int) -> str:
    """The message: what an update takes, what was free, and which batch would fit; `batch` is per process."""
    failed = f"memory ran out with batch {batch * processes}" + (f" on {processes} processes" if processes > 1 else "")
    had = f"{free // _MEBIBYTE:,} MiB were free at the start"
    if need is None:
        return f"{failed}; {had}, and not even 3 images fit: a smaller crop is needed"
    takes = (
        f"an update's tensors take {need.fixed // _MEBIBYTE:,} MiB and {need.per_image / _MEBIBYTE:,.1f} MiB per image"
    )
    fits = min(need.largest(free), batch)
    if not fits:
        return f"{failed}; {had}, and {takes}: no batch fits, a smaller crop is needed"
    if fits == batch:
        return f"{failed}; {takes} and {had}, which would do: something else took memory meanwhile"
    kept = f"{_KEPT_SHARE:.0%} and {_KEPT_BYTES // _MEBIBYTE} MiB kept aside"
    return f"{failed}; batch {fits * processes} should fit: {takes}, {had} (an estimate; {kept})"


def free_bytes() -> int:
    """Memory that this process can still get, where it trains: on its CUDA device, or its share of the machine's."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    used = psutil.Process().memory_info()
    limits = [(resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", used.vms))]
    left = [soft - taken for kind, taken in limits if (soft := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY]
    return max(0, min([*left, psutil.virtual_memory().available // world_size()]))


def measured(segmentor: Any, *, precision: str = "float32") -> Need:
    """What an update of a segmentor takes, from one forward and backward pass with 2 images and one with 3.

    Activations grow with the images and with nothing else, so that two sizes tell the whole line.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    segmentor.to(device).train()
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        two, three = (_peak(segmentor, images) for images in (2, 3))
    state = _STATE * sum(weight.numel() * weight.element_size() for weight in segmentor.parameters())
    return Need(fixed=state + max(0, 3 * two - 2 * three), per_image=three - two)


def _peak(segmentor: Any, images: int) -> int:
    """Most bytes of tensors alive at once in a forward and backward pass."""
    height, width = segmentor.data_preprocessor.size
    label = PixelData(data=torch.zeros(1, height, width, dtype=torch.int64))
    sample = SegDataSample(gt_sem_seg=label, metainfo={"img_shape": (height, width)})
    with LiveBytes() as live:
        inputs = [torch.zeros(3, height, width, dtype=torch.uint8) for _ in range(images)]
        batch = {"inputs": inputs, "data_samples": [sample.clone() for _ in range(images)]}
        losses = segmentor(**segmentor.data_preprocessor(batch, True), mode="loss")
        segmentor.parse_losses(losses)[0].backward()
    segmentor.zero_grad(set_to_none=True)
    peak: int = live.peak
    return peak


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is active; views count nothing.

    Attributes:
        now: Bytes alive.
        peak: Most bytes alive at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)
