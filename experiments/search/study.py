"""A study that can run: its definition, and everything that follows from it and from its evaluator."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from analysis.records.fidelity import Fidelity, digest
from analysis.records.screened import Screened
from analysis.results.pareto import Objective
from experiments.evaluators.base import EvaluatorMaker, WholesaleEvaluator, fidelity_of
from experiments.search.anchors import named_anchors
from experiments.search.definition import ACCURACY, LATENCY, StudyDefinition
from experiments.search.ehvi.designs import Designs, choosable
from experiments.search.feasible import check_feasible
from experiments.search.screening import Screen
from experiments.search.whole import Judged, check_wholesale, judged
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.deployment.boundary import Boundary
from topformer.presets import PRESETS, preset


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a sweep needs to know of its study.

    Attributes:
        definition: As it was read.
        space: Which designs are possible.
        screen: Their costs, against the limits.
        objectives: What designs are judged by, with the exact names of the metrics.
        evaluator: Makes the evaluator.
        fidelity: What every accuracy of the study is obtained with.
        own_anchors: Designs that the study names to be tried first; the space can express each.
        description: Everything that its records depend on, as plain JSON, and the digest of that as `identity`.
    """

    definition: StudyDefinition
    space: Space
    screen: Screen
    objectives: tuple[Objective, ...]
    evaluator: EvaluatorMaker
    fidelity: Fidelity
    own_anchors: tuple[Candidate, ...]
    description: Mapping[str, Any]

    @classmethod
    def of(cls, definition: StudyDefinition, evaluator: EvaluatorMaker) -> Self:
        """Build what follows from a definition.

        Raises:
            InputError: The definition names what does not exist, or the evaluator cannot be made.
        """
        space, screen, instance = definition.space.build(), Screen(definition), evaluator()
        check_wholesale(definition, instance)
        metrics = {ACCURACY: instance.metric, LATENCY: screen.latency_metric}
        objectives = tuple(
            Objective(metrics.get(name, name), "max" if name == ACCURACY else "min") for name in definition.objectives
        )
        chosen, budget = definition.space, definition.evaluator.budget
        return cls(
            definition=definition,
            space=space,
            screen=screen,
            objectives=objectives,
            evaluator=evaluator,
            fidelity=fidelity_of(instance, height=chosen.height, width=chosen.width, budget=budget),
            own_anchors=named_anchors(definition, space),
            description=_describe(definition, space, objectives, instance.describe()),
        )

    @property
    def identity(self) -> str:
        """Digest of the description."""
        return str(self.description["identity"])

    def designs(self, folder: Path) -> Designs:
        """What may be proposed within the limits, with its costs: the whole space, or what a run folder screened.

        Raises:
            StorageError: The file of the run folder cannot be read.
        """
        limits, seed = self.definition.limits, self.definition.seed
        return choosable(self.space, limits, self.screen.device, folder, seed)

    def judged(self) -> Judged:
        """All designs within the limits, judged at once; for an evaluator that can."""
        evaluator = self.evaluator()
        assert isinstance(evaluator, WholesaleEvaluator)
        return judged(self.definition, self.space, self.screen, evaluator)

    def anchors(self) -> list[Mapping[str, str]]:
        """Labels of the base, of every preset that the space can express and of the study's own, each design once."""
        anchors: dict[str, Mapping[str, str]] = {}
        for candidate in [*preset_candidates(self.definition), *self.own_anchors]:
            labels = self.space.labels_of(candidate)
            if labels is not None:
                anchors.setdefault(candidate.fingerprint, labels)
        return list(anchors.values())

    def check_feasible(self, screened: Screened) -> None:
        """Some design is within the limits.

        Raises:
            StudyError: None is; see `experiments.search.feasible`.
        """
        anchors = [self.space.candidate(labels) for labels in self.anchors()]
        check_feasible(self.space, self.definition.limits, self.screen, screened, anchors)


def preset_candidates(definition: StudyDefinition) -> list[Candidate]:
    """The base and every preset at the study's size, with the base's classes."""
    base = preset(definition.space.base)
    designs = [base, *(replace(design, num_classes=base.num_classes) for design in PRESETS.values())]
    return [
        Candidate(design=design, height=definition.space.height, width=definition.space.width).canonical()
        for design in designs
    ]


def _describe(
    definition: StudyDefinition, space: Space, objectives: tuple[Objective, ...], evaluator: Mapping[str, Any]
) -> dict[str, Any]:
    words = {"min": "minimize", "max": "maximize"}
    limits = {name: value for name, value in asdict(definition.limits).items() if value is not None}
    description: dict[str, Any] = {
        "name": definition.name,
        "objectives": [{"metric": goal.name, "direction": words[goal.direction]} for goal in objectives],
        "limits": limits,
        "seed": definition.seed,
        "budget": definition.evaluator.budget,
        "space": {
            **space.describe(),
            "base": definition.space.base,
            "design": space.base.fingerprint,
            "height": definition.space.height,
            "width": definition.space.width,
        },
        "device": definition.device,
        # Named where it is not the usual one, so that studies that were begun without the key go on.
        **({} if definition.boundary == Boundary.LOGITS else {"boundary": definition.boundary}),
        "sampler": definition.sampler,
        "evaluator": dict(evaluator),
    }
    return {**description, "identity": digest(description)}
