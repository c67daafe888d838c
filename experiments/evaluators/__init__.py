"""Ways to obtain the accuracy of a candidate, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from experiments.implementations import Implementation, canonical

if TYPE_CHECKING:
    from experiments.evaluators.base import Evaluator


@dataclass(frozen=True, slots=True)
class EvaluatorEntry(Implementation):
    """One entry of `EVALUATORS`.

    Attributes:
        needs_data: Whether it works on a data set.
        trains: Whether it spends iterations.
    """

    needs_data: bool = True
    trains: bool = True


EVALUATORS: Mapping[str, EvaluatorEntry] = MappingProxyType(
    {
        "count": EvaluatorEntry(
            "experiments.evaluators.count:CountEvaluator",
            "parameters, MACs or milliseconds in the place of an accuracy: what every other source must beat",
            needs_data=False,
            trains=False,
        ),
        "published": EvaluatorEntry(
            "experiments.evaluators.published:PublishedEvaluator",
            "accuracies on the paper's data sets, predicted from what was published, with an interval",
            needs_data=False,
            trains=False,
        ),
        "proxy": EvaluatorEntry(
            "experiments.evaluators.proxy:ProxyEvaluator",
            "zero-cost proxies of networks that nobody trained, from a few batches",
            trains=False,
        ),
        "supernet": EvaluatorEntry(
            "experiments.evaluators.supernet:SupernetEvaluator",
            "parts of one set of shared weights, which `topformer supernet train` makes for a whole space",
            trains=False,
        ),
        "lean": EvaluatorEntry(
            "experiments.evaluators.lean:LeanEvaluator",
            "short trainings in plain torch, the whole data set in memory",
        ),
        "mmseg": EvaluatorEntry(
            "experiments.evaluators.mmseg:MmsegEvaluator",
            "short trainings through mmsegmentation, with its pipelines and metric",
        ),
        "recipe": EvaluatorEntry(
            "experiments.evaluators.recipe:RecipeEvaluator",
            "full trainings by a released recipe, from released weights where they are given",
        ),
    }
)
"""Name to a class with the members of `experiments.evaluators.base.Evaluator` and a class method `read`, which makes it
of a data set's folder (None where it needs none) and the table `evaluator.settings` of a study file."""


def evaluator(kind: str, folder: Path | None, settings: Mapping[str, Any] | None = None) -> "Evaluator":
    """The evaluator of that kind on a data set.

    Args:
        kind: One of `EVALUATORS`.
        folder: The data set, where the evaluator needs one.
        settings: The evaluator's table of a study file; absent keys take their defaults.

    Raises:
        InputError: There is no such kind; the message offers the nearest.
        StudyError: A setting does not exist, or its value is not accepted.
        DataError: The folder is no data set, or its classes are not known.
    """
    name = canonical("evaluator", kind, EVALUATORS)
    instance: Evaluator = EVALUATORS[name].load().read(folder, settings or {})
    return instance
