"""mmengine's runner with what a training here needs: quiet, atomic and weights-only checkpoints, CPUs in DDP."""

import logging
import multiprocessing
import os
import random
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.distributed import is_initialized

from experiments.training.memory import keep_freed_memory
from experiments.training.processes import rank, share_statistics
from experiments.training.tensors import goes_on, write_tensors
from topformer.errors import CheckpointError
from topformer.files import remove_unfinished, replacing
from topformer.mmseg import quiet

with quiet():
    from mmengine.config import Config
    from mmengine.dist import master_only
    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner
    from mmengine.utils import import_modules_from_strings

CONFIGURATION = "config.py"
INITIAL = "initial.pth"
"""The weights to start from, under the names of what is trained."""
LAST = "last_checkpoint"
"""mmengine's own file with the name of the newest checkpoint; nothing here reads it."""
_CHECKPOINT = re.compile(r"(?:iter|epoch)_(\d+)\.pth")
_CONTENT = ("meta", "state_dict", "message_hub", "optimizer", "param_schedulers")
"""What a training needs to go on."""


class FileRunner(Runner):  # type: ignore[misc]
    """A runner that logs to files only, and whose checkpoints are whole or absent."""

    starts_whole: ClassVar[bool] = True
    """Whether a checkpoint to start from must hold every tensor; one to go on from must."""

    def build_logger(self, *args: Any, **kwargs: Any) -> Any:
        """The logger of mmengine without its handler for the terminal."""
        logger = super().build_logger(*args, **kwargs)
        logger.handlers = [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
        return logger

    def wrap_model(self, model_wrapper_cfg: Any, model: Any) -> Any:
        """As mmengine does it for CUDA; processes on CPUs get no device, and a BatchNorm that CPUs can share."""
        if not self.distributed or torch.cuda.is_available():
            return super().wrap_model(model_wrapper_cfg, model)
        if self.cfg.get("sync_bn"):
            share_statistics(model)
        return MMDistributedDataParallel(module=model, device_ids=None, broadcast_buffers=False)

    @master_only  # type: ignore[untyped-decorator]
    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Write under another name first, so that a crash leaves the checkpoints before it as they are.

        Raises:
            StorageError: The disk does not take it.
        """
        with replacing(Path(out_dir) / filename) as fresh:
            super().save_checkpoint(out_dir, fresh.name, *args, **kwargs)

    def load_checkpoint(self, filename: str, map_location: Any = "cpu", **_: Any) -> dict[str, Any]:
        """Read a checkpoint as plain data; every tensor of the model must be in it, see `starts_whole`.

        Raises:
            CheckpointError: It cannot be read so, or lacks something.
        """
        try:
            content: dict[str, Any] = super().load_checkpoint(
                filename, map_location, strict=self._resume or self.starts_whole
            )
        except RuntimeError as error:
            raise CheckpointError(f"{filename} does not fit the network; {' '.join(str(error).split())}") from error
        lacking = [name for name in _CONTENT if self._resume and name not in content]
        if lacking:
            raise CheckpointError(f"{filename} is no checkpoint of a training; it lacks {', '.join(lacking)}")
        # mmengine would run this entry, which is none of its own checkpoints', as a Python file.
        content.get("meta", {}).pop("config", None)
        return content


def last_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint of a folder that is not damaged, if there is one; a note names those that are.

    Raises:
        StorageError: One cannot be read.
    """
    found = {int(name[1]): path for path in work.glob("*.pth") if (name := _CHECKPOINT.fullmatch(path.name))}
    return next((found[number] for number in sorted(found, reverse=True) if goes_on(found[number])), None)


def run(
    settings: Mapping[str, Any],
    work: Path,
    hooks: Sequence[Any],
    *,
    scored: Callable[[], bool],
    runner: type[FileRunner] = FileRunner,
) -> dict[str, Tensor]:
    """Run the training of a configuration to its end, from its newest checkpoint where there is one.

    Args:
        settings: The configuration.
        work: Folder for mmengine's logs and checkpoints.
        hooks: Hooks beside the configuration's own.
        scored: Whether the last validation was seen; it is repeated where a training was stopped before it.
        runner: Its class.

    Returns:
        The trained tensors by name, on the CPU; the data preprocessor's constants are none of them.
    """
    with _contained(work):
        remove_unfinished(work)
        import_modules_from_strings(**settings["custom_imports"])
        found = runner.from_cfg(Config(_whole(settings, work), format_python_code=False))
        for hook in hooks:
            found.register_hook(hook)
        try:
            found.train()
            if not scored():
                found.val()
        finally:
            # Closed and taken off: mmengine writes to the stream of whatever handler its current logger has.
            for handler in list(found.logger.handlers):
                handler.close()
                found.logger.removeHandler(handler)
        model = getattr(found.model, "module", found.model)
        return {k: v.cpu() for k, v in model.state_dict().items() if not k.startswith("data_preprocessor.")}


def _whole(settings: Mapping[str, Any], work: Path) -> dict[str, Any]:
    """The configuration with what belongs to this process alone."""
    resumed = last_checkpoint(work)
    return {
        **settings,
        **({"load_from": str(resumed), "resume": True} if resumed else {}),
        # mmengine keeps loggers and histories by name for the life of the process.
        "experiment_name": f"training-{os.getpid()}-{work.resolve()}".replace("/", "-"),
        "work_dir": str(work),
        "launcher": "pytorch" if is_initialized() else "none",
    }


@contextmanager
def _contained(work: Path) -> Iterator[None]:
    """Put back the process's generators and start method, which mmengine sets; keep its many warnings in a file."""
    method = multiprocessing.get_start_method(allow_none=True)
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    work.mkdir(parents=True, exist_ok=True)
    if not torch.cuda.is_available():
        keep_freed_memory()
    caught: list[warnings.WarningMessage] = []
    try:
        devices = range(torch.cuda.device_count())
        with warnings.catch_warnings(record=True) as caught, torch.random.fork_rng(devices):
            warnings.simplefilter("always")
            yield
    finally:
        multiprocessing.set_start_method(method, force=True)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if rank() == 0:
            lines = dict.fromkeys(f"{item.category.__name__}: {item.message}" for item in caught)
            (work / "warnings.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_start(out: Path, text: str, initial: Callable[[], Mapping[str, Tensor] | None]) -> None:
    """Write the configuration and, where they are not there yet, the weights to start from, if there are any."""
    with replacing(out / CONFIGURATION) as fresh:
        fresh.write_text(text, encoding="utf-8")
    if not (out / INITIAL).exists() and (state := initial()):
        write_tensors(out / INITIAL, {"state_dict": state})


def forget(work: Path) -> None:
    """Remove what only an unfinished training needs."""
    for left in [*work.glob("*.pth"), work / LAST, work.parent / INITIAL]:
        left.unlink(missing_ok=True)
