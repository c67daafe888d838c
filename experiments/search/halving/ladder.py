"""A study that climbs: the same space and costs on every rung, each with an evaluator of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from analysis.records.fidelity import Fidelity, digest
from analysis.records.record import Key
from experiments.evaluators.base import EvaluatorMaker
from experiments.evaluators.definition import EvaluatorDefinition
from experiments.search.definition import RungDefinition, StudyDefinition
from experiments.search.study import Study
from search_space.candidate import Candidate
from topformer.errors import StudyError

SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The rungs of a study, lowest first.

    Attributes:
        rungs: A study for each; all have the identity of the whole.
        continues: Whether the trainings of a rung go on from the checkpoints of the one below.
    """

    rungs: tuple[Study, ...]
    continues: tuple[bool, ...]

    @classmethod
    def of(cls, definition: StudyDefinition, evaluators: Sequence[EvaluatorMaker]) -> Self:
        """The ladder of a study file.

        Args:
            definition: The study, with its rungs.
            evaluators: What makes the evaluator of each rung.

        Raises:
            InputError: As `Study.of`; or an axis of the strata is none of the space, or two rungs evaluate alike.
        """
        made = [
            Study.of(replace(definition, evaluator=rung.evaluator, rung=(), rounds=1), make)
            for rung, make in zip(definition.rung, evaluators, strict=True)
        ]
        for rung in definition.rung:
            for name in rung.strata:
                made[0].space.axis(name)
        _check_different(made)
        whole = _describe(definition, made)
        below = [None, *definition.rung[:-1]]
        return cls(
            rungs=tuple(replace(one, definition=definition, description=whole) for one in made),
            continues=tuple(
                lower is not None and _goes_on(lower.evaluator, rung.evaluator)
                for lower, rung in zip(below, definition.rung, strict=True)
            ),
        )

    @property
    def top(self) -> Study:
        """The last rung: its accuracies are those of the study."""
        return self.rungs[-1]

    @property
    def definition(self) -> StudyDefinition:
        """The study as it was read."""
        return self.top.definition

    def key(self, number: int, candidate: Candidate, seed: int) -> Key:
        """What is evaluated on a rung."""
        return Key(candidate.fingerprint, self.rungs[number].fidelity, seed)

    def below(self, number: int, candidate: Candidate, seed: int) -> Key | None:
        """Whose checkpoint an evaluation goes on from: that of the rung below, with the study's own seed."""
        if not self.continues[number] or seed != self.definition.seed:
            return None
        return self.key(number - 1, candidate, seed)

    def iterations(self, number: int) -> int:
        """What one evaluation of a rung costs: what was not paid below; 1 where nothing is trained."""
        paid = self.rungs[number - 1].fidelity.budget if self.continues[number] else 0
        return max(1, self.rungs[number].fidelity.budget - paid)


def _check_different(rungs: Sequence[Study]) -> None:
    """A rung whose evaluations are those of another would find all of its designs evaluated."""
    seen: dict[Fidelity, int] = {}
    for number, one in enumerate(rungs, start=1):
        first = seen.setdefault(one.fidelity, number)
        if first != number:
            raise StudyError(f"rungs[{number}] evaluates as rungs[{first}] does: {one.fidelity}; leave one of them out")


def _goes_on(below: EvaluatorDefinition, above: EvaluatorDefinition) -> bool:
    """Whether one budget is the first part of the other, of a training with one schedule."""
    if below.kind != above.kind or SCHEDULE not in above.settings:
        return False
    return below.budget < above.budget and replace(below, budget=above.budget) == above


def _describe(definition: StudyDefinition, studies: Sequence[Study]) -> Mapping[str, Any]:
    """The description of the last rung, with what stands below it."""
    rungs = [
        {"metric": study.objectives[_accuracy(study)].name, "evaluator": study.description["evaluator"],
         "budget": study.fidelity.budget, **_promotion(rung)}
        for rung, study in zip(definition.rung, studies, strict=True)
    ]  # fmt: skip
    top = {name: value for name, value in studies[-1].description.items() if name != "identity"}
    description = {**top, "rungs": rungs, "seeds": definition.rung[-1].seeds, "rounds": definition.rounds}
    return {**description, "identity": digest(description)}


def _accuracy(study: Study) -> int:
    return next(place for place, goal in enumerate(study.objectives) if goal.direction == "max")


def _promotion(rung: RungDefinition) -> dict[str, Any]:
    return {name: value for name in ("keep", "eta") if (value := getattr(rung, name)) is not None} | {
        "strata": list(rung.strata)
    }
