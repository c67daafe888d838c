"""What a training does when memory runs out: it measures what an image takes, and says which batch would fit."""

import errno
import gc
import resource
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil
from multiprocessing import current_process, get_context
from traceback import walk_tb
from typing import Any, TypeVar

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from experiments.training.processes import world_size
from topformer.design import Design
from topformer.errors import EvaluationError
from topformer.mmseg import quiet, segmentor

with quiet():
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

_KEPT_SHARE, _KEPT_BYTES = 0.15, 256 << 20
"""Kept aside from the free memory for what is no tensor: kernels' own buffers, fragments, threads.

On one CPU core a forward and backward pass of Base (256 px, 150 classes, batch 8) took 1,305 MiB where its tensors
count 1,312; of Tiny (128 px, 11 classes, batch 16) 281 where they count 169; of Nano (batch 32) 334 and 249. Many small
tensors leave fragments, so that a batch is named only after it was tried.
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
_LOADING = "DataLoader worker"
"""In the messages of a process that loads data: of one that ended, and of one that says why."""

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


def explained(run: Callable[[], Result], probe: "Probe", *, batch: int) -> Result:
    """What `run` gives.

    Args:
        run: A training; nothing of it may be alive when it ends with an error.
        probe: Measures its network, where memory ran out.
        batch: Images per update and process.

    Raises:
        EvaluationError: Memory ran out; the message says which batch fits, or what else helps.
    """
    free = free_bytes()
    try:
        return run()
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = _remedy(error)
    # Here, where the error and with it the failed update's tensors are gone.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise EvaluationError(remedy or advice(probe, free, batch=batch, processes=world_size()))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU or a CUDA device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    signs = (*_SIGNS, "killed by signal", "exited unexpectedly")
    # oneDNN says only this where it gets no memory for its code, and where it cannot do what it is asked for.
    if "could not create a primitive" in str(error):
        return free_bytes() < _KEPT_BYTES
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in str(error) for sign in signs)


def _remedy(error: BaseException) -> str | None:
    """What helps where the batch is not the cause."""
    if _LOADING in str(error):
        return "a process that loads data ended, most often for lack of memory; fewer workers need less"
    if any(frame.f_code.co_name == "val_step" for frame, _ in walk_tb(error.__traceback__)):
        return "memory ran out in the validation, which takes its images whole and one by one; smaller ones need less"
    return None


def advice(probe: "Probe", free: int, *, batch: int, processes: int) -> str:
    """The message: which batch fits.

    Args:
        probe: What tries one.
        free: Bytes that were free before the training.
        batch: Images per update and process that did not fit.
        processes: Processes that share the training.
    """
    failed = f"memory ran out with batch {batch * processes}; {free // _MEBIBYTE:,} MiB were free at the start"
    need = probe.alone(probe.need)
    if need is None:
        return f"{failed}, and not even 3 images fit: a smaller crop is needed"
    takes = f"an update takes {need.fixed // _MEBIBYTE:,} MiB and {need.per_image / _MEBIBYTE:,.1f} MiB per image"
    fits = min(need.largest(free), batch * 3 // 4)
    while fits and not probe.alone(partial(probe.fits, tried := fits + ceil(fits / 8))):
        fits = fits * 3 // 4
    if not fits:
        return f"{failed}, and {takes}: no batch fits, a smaller crop is needed"
    each = " per process" if processes > 1 else ""
    return f"{failed}; batch {fits * processes} fits, {tried} images{each} were just tried ({takes}, counting tensors)"


def free_bytes() -> int:
    """Memory that this process can still get, where it trains: on its CUDA device, or its share of the machine's."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    used = psutil.Process().memory_info()
    limits = [(resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", used.vms))]
    left = [soft - taken for kind, taken in limits if (soft := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY]
    return max(0, min([*left, psutil.virtual_memory().available // world_size()]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Forward and backward passes with images of nothing, to measure what they take.

    Attributes:
        design: The network.
        height: Height of a training image.
        width: Its width.
        precision: float32, or bfloat16.
    """

    design: Design
    height: int
    width: int
    precision: str = "float32"

    def alone(self, attempt: Callable[[], Result]) -> Result | None:
        """The result of an attempt in a fresh process, whose memory is not in fragments yet; nothing if it dies."""
        if current_process().daemon:
            # Such a one, as a sweep's are, may start none.
            return attempt()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                return pool.submit(attempt).result()
            except BrokenExecutor:
                return None

    def need(self) -> Need | None:
        """What an update takes, from a pass with 2 images and one with 3; nothing if these do not fit.

        Activations grow with the images and with nothing else, so that two sizes tell the whole line.
        """

        def sizes(network: Any) -> Need:
            two, three = (self._peak(network, images) for images in (2, 3))
            state = _STATE * sum(weight.numel() * weight.element_size() for weight in network.parameters())
            return Need(fixed=state + max(0, 3 * two - 2 * three), per_image=three - two)

        return self._tried(sizes)

    def fits(self, images: int) -> bool:
        """Whether two updates with this many images run."""

        def updates(network: Any) -> bool:
            optimizer = torch.optim.AdamW(network.parameters())
            for _ in range(2):
                self._pass(network, images)
                optimizer.step()
                optimizer.zero_grad()
            return True

        return bool(self._tried(updates))

    def _tried(self, attempt: Callable[[Any], Result]) -> Result | None:
        try:
            network = segmentor(self.design, height=self.height, width=self.width)
            return attempt(network.to(_device()).train())
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _peak(self, network: Any, images: int) -> int:
        """Most bytes alive beside the weights and their gradients, which are as many for any number of images."""
        for weight in network.parameters():
            weight.grad = torch.zeros_like(weight)
        with LiveBytes() as live:
            self._pass(network, images)
        peak: int = live.peak
        return peak

    def _pass(self, network: Any, images: int) -> None:
        size = (self.height, self.width)
        label = PixelData(data=torch.zeros(1, *size, dtype=torch.int64))
        sample = SegDataSample(gt_sem_seg=label, metainfo={"img_shape": size})
        inputs = [torch.zeros(3, *size, dtype=torch.uint8) for _ in range(images)]
        batch = {"inputs": inputs, "data_samples": [sample.clone() for _ in range(images)]}
        with torch.autocast(_device(), torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses = network(**network.data_preprocessor(batch, True), mode="loss")
        network.parse_losses(losses)[0].backward()


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is active; a view is no more memory.

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
        known = {tensor.untyped_storage()._cdata for tensor in tree_leaves((args, kwargs)) if _is_tensor(tensor)}
        made = func(*args, **(kwargs or {}))
        for tensor in filter(_is_tensor, tree_leaves(made)):
            if tensor.untyped_storage()._cdata not in known:
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)
