"""The mmsegmentation evaluator: trainings with the standard pipelines, loop and metric."""

import json
import multiprocessing
import random
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.base import Accuracy, Progress
from experiments.evaluators.training import TrainingEvaluator
from experiments.training.malloc import keep_freed_memory
from experiments.training.mmseg.hooks import (
    FiniteLossHook,
    ProgressHook,
    ScoresMetric,
    ValidationHook,
    build_runner,
)
from experiments.training.mmseg.memory import Probe, explained
from experiments.training.mmseg.runner import last_checkpoint
from experiments.training.outcome import remove_unfinished, trained, write_json
from experiments.training.scores import Scores
from experiments.training.settings import MmsegSettings
from search_space.candidate import Candidate
from topformer.mmseg import from_segmentor_state

KIND = "mmseg"
LOGS = "mmseg"
"""Folder inside the evaluation's, for mmengine's logs and checkpoints."""
HISTORY = "validations.json"
LAST = "last_checkpoint"
"""mmengine's own file with the name of the newest checkpoint; nothing here reads it."""


class MmsegEvaluator(TrainingEvaluator):
    """Trains a candidate from scratch with mmsegmentation, on CUDA where there is a device.

    On a CPU a training that was killed and resumed gives the same bits as one that was not.

    Args:
        folder: The data set, or its path.
        settings: The recipe; `MmsegSettings.release()` is the released one.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
    """

    kind = KIND

    def __init__(self, folder: SegmentationFolder | Path, settings: MmsegSettings | None = None) -> None:
        self.settings = settings or MmsegSettings()
        super().__init__(folder, self.settings)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, settings: Mapping[str, Any]) -> Self:
        """The evaluator of a table of a study file; errors as in `MmsegSettings.read` and above."""
        return cls(folder, MmsegSettings.read(settings))

    def _train(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None
    ) -> tuple[Accuracy, dict[str, Any]]:
        # mmengine logs into `folder` only.
        with _contained(folder / LOGS):
            remove_unfinished(folder / LOGS)
            return explained(
                lambda: self._run(candidate, budget=budget, seed=seed, folder=folder, progress=progress),
                Probe(
                    design=candidate.design,
                    height=candidate.height,
                    width=candidate.width,
                    precision=self.settings.precision,
                ),
                batch=self.settings.batch,
            )

    def _forget(self, folder: Path) -> None:
        for checkpoint in [*(folder / LOGS).glob("*.pth"), folder / LOGS / LAST]:
            checkpoint.unlink(missing_ok=True)

    def _run(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None
    ) -> tuple[Accuracy, dict[str, Any]]:
        metric, history = ScoresMetric(prefix="validation"), _History(folder / HISTORY)
        hooks = [FiniteLossHook(), ValidationHook(metric, history.receive)]
        runner = build_runner(
            self.folder,
            self.settings,
            candidate,
            budget=budget,
            seed=seed,
            work=folder / LOGS,
            resume_from=last_checkpoint(folder / LOGS),
            hooks=[*hooks, *([ProgressHook(progress)] if progress else [])],
            metric=metric,
        )
        try:
            runner.train()
            if history.last is None:
                # The training had been stopped between its last update and its last validation.
                runner.val()
        finally:
            history.save()
            for handler in runner.logger.handlers:
                handler.close()
        assert history.last is not None
        accuracy = trained(self.folder, history.last, history.values, budget=budget, seed=seed, seconds=history.seconds)
        return accuracy, from_segmentor_state(_network_state(runner.model))


class _History:
    """mIoU by update and the seconds spent, kept in a file for a training that is resumed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        known: dict[str, Any] = {"seconds": 0.0, "miou": {}}
        if path.exists():
            known = json.loads(path.read_text(encoding="ascii"))
        self.values = {int(update): float(value) for update, value in known["miou"].items()}
        self.started: float = time.monotonic() - known["seconds"]
        self.last: Scores | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def receive(self, update: int, found: Scores) -> None:
        self.last = found
        self.values[update] = found.miou
        self.save()

    def save(self) -> None:
        write_json(self.path, {"seconds": self.seconds, "miou": self.values})


def _network_state(model: Any) -> dict[str, torch.Tensor]:
    """Weights of the network; the data preprocessor's constants are none of it."""
    state: dict[str, torch.Tensor] = model.state_dict()
    return {name: value.cpu() for name, value in state.items() if not name.startswith("data_preprocessor.")}


@contextmanager
def _contained(work: Path) -> Iterator[None]:
    """Put back the process's generators and start method, which mmengine sets; keep its many warnings in a file."""
    method = multiprocessing.get_start_method(allow_none=True)
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    work.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    try:
        devices = range(torch.cuda.device_count())
        with warnings.catch_warnings(record=True) as caught, torch.random.fork_rng(devices):
            warnings.simplefilter("always")
            yield
    finally:
        multiprocessing.set_start_method(method, force=True)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        lines = dict.fromkeys(f"{item.category.__name__}: {item.message}" for item in caught)
        (work / "warnings.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
