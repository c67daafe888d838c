"""The supernet evaluator: every design of a space scored with its part of one set of weights, without training it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.base import Accuracy, Progress, check_untrained
from experiments.evaluators.training import accuracy_of
from experiments.evaluators.untrained import UntrainedEvaluator
from experiments.training.claim import data_identity
from experiments.training.outcome import Outcome
from experiments.training.settings import DEVICES
from experiments.training.supernet.trained import RECALIBRATION, Supernet
from search_space.candidate import Candidate
from topformer.bounds import COUNT
from topformer.kinds import Choice, Integer, Text
from topformer.network import TopFormer
from topformer.schema import key

VERSION = "1"
"""Part of the identity of every evaluation: it rises when the same settings begin to give other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetSettings:
    """Which supernet, and how its designs are scored."""

    run: str = field(metadata=key(Text(), "Folder that `topformer supernet train` left."))
    recalibration: int = field(
        default=RECALIBRATION,
        metadata=key(Integer(2, 10**6), "Training images whose statistics BatchNorm takes, for each design."),
    )
    device: str = field(default="auto", metadata=key(Choice(DEVICES), "Where it is computed."))
    threads: int = field(default=1, metadata=key(COUNT, "Threads of torch on a CPU."))


class SupernetEvaluator(UntrainedEvaluator[SupernetSettings]):
    """The mIoU of a candidate with its part of a supernet's weights, BatchNorm recalibrated for it.

    It says how designs compare, not what they reach when they are trained; see docs/supernet.md. The seed draws the
    images of the recalibration.

    Args:
        folder: The data set, or its path.
        settings: Which supernet, and how its designs are scored.

    Raises:
        DataError: The folder is no data set, or its classes are not known.
        StudyError: There is no supernet, or it was trained on other data; or CUDA is asked for and there is none.
        CheckpointError: The weights of the supernet cannot be read.
    """

    kind = "supernet"
    definition = SupernetSettings

    def __init__(self, folder: SegmentationFolder | Path, settings: SupernetSettings) -> None:
        super().__init__(folder, settings)
        self.supernet = Supernet.read(Path(settings.run))
        self.supernet.check_data(self.folder)

    @property
    def metric(self) -> str:
        """`miou@supernet-` and the name of the data set: no mIoU of a trained network."""
        return f"miou@supernet-{self.folder.name}"

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number; the supernet by its weights, wherever it lies."""
        return {
            "kind": self.kind,
            "version": VERSION,
            "data": data_identity(self.folder),
            "supernet": self.supernet.digest,
            "recalibration": self.settings.recalibration,
        }

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """The score; the classes are the data's, and nothing is kept in `folder`.

        Raises:
            StudyError: The supernet does not hold the candidate, a budget is given, or the seed is out of range.
            EvaluationError: The logits are not finite.
            MachineError: Memory runs out.
            DataError: An image cannot be read.
        """
        del folder, progress
        check_untrained(self.kind, budget)
        begin = time.monotonic()
        with self._computing(seed, self.supernet.recipe):
            found = self.supernet.score(self._network(candidate, seed), self._decoded, self._device)
        outcome = Outcome(scores=found, weights={}, seconds=time.monotonic() - begin)
        return replace(
            accuracy_of(outcome, self.folder, budget=0, seed=seed), metric=self.metric, source="supernet", best=None
        )

    def network(self, candidate: Candidate, *, seed: int) -> TopFormer:
        """The network that `evaluate` scores, in evaluation mode; errors as there."""
        with self._computing(seed, self.supernet.recipe):
            return self._network(candidate, seed)

    def _network(self, candidate: Candidate, seed: int) -> TopFormer:
        images = self.settings.recalibration
        return self.supernet.network(candidate, self._decoded, images=images, seed=seed, device=self._device)
