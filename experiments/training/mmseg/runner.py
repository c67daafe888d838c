"""mmengine's runner with what a training here needs: quiet, atomic and weights-only checkpoints, CPUs in DDP."""

import logging
import re
from pathlib import Path
from typing import Any, ClassVar

import torch

from experiments.training.outcome import replacing
from experiments.training.processes import share_statistics
from topformer.errors import CheckpointError
from topformer.mmseg import quiet

with quiet():
    from mmengine.dist import master_only
    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner

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
    """The newest checkpoint of a folder, if there is one; every one is whole, so that names alone tell."""
    found = {int(name[1]): path for path in work.glob("*.pth") if (name := _CHECKPOINT.fullmatch(path.name))}
    return found[max(found)] if found else None
