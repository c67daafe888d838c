"""The proxy evaluator: zero-cost proxies of designs, thousands in the time of one training."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.evaluators.base import Accuracy, Progress, check_untrained
from experiments.evaluators.untrained import UntrainedEvaluator
from experiments.training.claim import data_identity
from experiments.training.proxies import PROXIES, fresh, score
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.settings import DEVICES
from search_space.candidate import Candidate
from topformer.bounds import COUNT
from topformer.kinds import Choice, Integer
from topformer.schema import key

VERSION = "1"
"""Part of the identity of every evaluation: it rises when the same settings begin to give other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Which proxy, and of what."""

    proxy: str = field(default="zico", metadata=key(Choice(PROXIES), "Proxy."))
    batch: int = field(default=16, metadata=key(Integer(2, 1024), "Images of a batch."))
    batches: int = field(default=2, metadata=key(Integer(2, 1024), "Batches of training images."))
    device: str = field(default="auto", metadata=key(Choice(DEVICES), "Where it is computed."))
    threads: int = field(default=1, metadata=key(COUNT, "Threads of torch on a CPU."))


class ProxyEvaluator(UntrainedEvaluator[ProxySettings]):
    """A zero-cost proxy of a candidate, of a network drawn by the seed and of the first batches of that seed.

    A proxy is no accuracy and has no unit. It serves to sort out, and to be beaten; see docs/proxies.md.

    Args:
        folder: The data set, or its path.
        settings: Which proxy, and of what.

    Raises:
        DataError: The folder is no data set, its classes are not known, or there is nothing to train on.
        StudyError: CUDA is asked for and there is none.
    """

    kind = "proxy"
    definition = ProxySettings

    @property
    def metric(self) -> str:
        """The proxy `@` the name of the data set, such as `zico@tokenworld-128`."""
        return f"{self.settings.proxy}@{self.folder.name}"

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number."""
        names = ("proxy", "batch", "batches")
        settings = {name: getattr(self.settings, name) for name in names}
        return {"kind": self.kind, "version": VERSION, "data": data_identity(self.folder), **settings}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """The proxy; the classes are the data's, and nothing is kept in `folder`.

        Raises:
            StudyError: A budget is given, or the seed is out of range.
            EvaluationError: The number is not finite.
            MachineError: Memory runs out.
            DataError: An image cannot be read.
        """
        del folder, progress
        check_untrained(self.kind, budget)
        settings, begin = self.settings, time.monotonic()
        design = replace(candidate.design, num_classes=self.folder.num_classes)
        recipe = replace(with_size(SCRATCH, candidate.height, candidate.width), batch=settings.batch)
        with self._computing(seed, recipe):
            batches = self._decoded.batches(recipe, seed, self._device)
            chosen = [batches[number] for number in range(settings.batches)]
            value = score(settings.proxy, fresh(design).to(self._device), chosen)
        return Accuracy(
            metric=self.metric,
            value=value,
            source="proxy",
            budget=budget,
            seed=seed,
            seconds=time.monotonic() - begin,
        )
