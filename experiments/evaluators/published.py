"""The published evaluator: mIoU on the paper's data sets, predicted from what was published; no data, no torch."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.reference import predicted_metric
from analysis.results.published.anchors import PAPER, RELEASE, SETTINGS
from analysis.results.published.factors import difference
from analysis.results.published.model import check_setting, published_model
from experiments.evaluators.base import Accuracy, Progress, check_untrained
from search_space.candidate import Candidate
from topformer.bounds import COUNT
from topformer.errors import StudyError
from topformer.kinds import Choice
from topformer.schema import key, read

VERSION = "1"
"""Part of the identity of every evaluation: it rises when the same settings begin to give other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSettings:
    """Which training is predicted.

    Raises:
        StudyError: Nothing was published of such a training.
    """

    dataset: str = field(default="ade20k", metadata=key(Choice(SETTINGS), "Data set."))
    batch: int = field(default=16, metadata=key(COUNT, "Images per iteration."))
    iterations: int | None = field(default=None, metadata=key(COUNT, "Of the schedule, if it is to be checked."))
    source: str = field(default=PAPER, metadata=key(Choice((PAPER, RELEASE)), "Whose level is predicted."))

    def __post_init__(self) -> None:
        check_setting(self.dataset, self.batch)
        published = SETTINGS[self.dataset].iterations
        if self.iterations not in (None, published):
            raise StudyError(
                f"iterations of published points on {self.dataset} must be {published}, got {self.iterations}"
            )
        if self.source == RELEASE and self.dataset != "ade20k":
            raise StudyError(f"source of published points on {self.dataset} must be {PAPER!r}, got {self.source!r}")


class PublishedEvaluator:
    """mIoU of a candidate trained as the published networks were, with its standard deviation and support.

    Args:
        settings: Which training is predicted.
    """

    kind = "published"
    definition = PublishedSettings

    def __init__(self, settings: PublishedSettings) -> None:
        self.settings = settings
        self._asked: dict[str, Any] = {
            "dataset": settings.dataset, "batch": settings.batch, "source": settings.source
        }  # fmt: skip

    @classmethod
    def read(cls, _folder: Path | None, values: Mapping[str, Any]) -> Self:
        """The evaluator of the settings of a study file; it needs no data set.

        Raises:
            StudyError: A key or a value is not accepted, or nothing was published of such a training.
        """
        return cls(read(PublishedSettings, values, "evaluator.settings"))

    @property
    def metric(self) -> str:
        """`miou@published-` and the data set: in the units of the paper, and never mistaken for a measurement."""
        return predicted_metric(self.settings.dataset)

    def describe(self) -> Mapping[str, Any]:
        """Every setting that changes the number."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "iterations"}
        return {"kind": self.kind, "version": VERSION, **settings}

    def judge(self, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """Predicted mIoU of many and its standard deviation, in percent: (2, N).

        Raises:
            EvaluationError: Nothing near one of them was published.
        """
        found = published_model().predict(candidates, **self._asked)
        return np.stack([found.mean, found.sd])

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        """The prediction; `folder`, `seed` and `progress` have nothing to do.

        Raises:
            StudyError: A budget is given.
            EvaluationError: Nothing near the candidate was published; the message says what is not.
        """
        del folder, progress
        check_untrained(self.kind, budget)
        begin = time.monotonic()
        found = published_model().predict([candidate], **self._asked)
        changed = difference(candidate.design).changed
        return Accuracy(
            metric=self.metric,
            value=float(found.mean[0]),
            source="surrogate",
            error=float(found.sd[0]),
            budget=budget,
            seed=seed,
            seconds=time.monotonic() - begin,
            remarks={"support": found.support[0].value, "changed": list(changed)},
        )
