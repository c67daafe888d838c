"""The definition of a study: what is varied, judged, limited and spent; read from a TOML file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from experiments.engines.workers import Workers
from experiments.evaluators.definition import TOKENWORLD, EvaluatorDefinition
from experiments.implementations import choice
from experiments.search.samplers import SAMPLERS
from search_space.spaces.space import ALPHA, Space, space, spaces
from topformer.bounds import COUNT, NAME, POSITIVE, SEED, SIDE
from topformer.deployment.boundary import Boundary
from topformer.errors import StudyError
from topformer.files import read_toml
from topformer.kinds import Between, Choice, Entries, JsonSchema, Kind, Names, Number, Text
from topformer.schema import Section, Sections, key, read, refuse

ACCURACY = "accuracy"
LATENCY = "latency_ms"
OBJECTIVES = (ACCURACY, LATENCY, "macs", "parameters")
"""What a study may judge by: the accuracy is maximised, every cost is minimised."""
JOURNAL = "journal"
"""The storage that is a file of the run folder."""


@dataclass(frozen=True, slots=True)
class Storage(Kind):
    """`journal`, or the URL of a database; what may be a password is never shown."""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        if isinstance(value, str) and (value == JOURNAL or "://" in value):
            return []
        hidden = without_password(value) if isinstance(value, str) else value
        return [f"{where} must be {JOURNAL!r} or a URL such as sqlite:///study.db, got {hidden!r}"]

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "string", "pattern": f"^{JOURNAL}$(?!\\n)|://"}


def without_password(url: str) -> str:
    """The address of a database, without what stands between its scheme and the last @."""
    return re.sub(r"^(\w[\w+.-]*://)?.*@", r"\1***@", url, flags=re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDefinition:
    """Which designs are possible."""

    name: str = field(metadata=key(Choice(spaces), "Search space."))
    base: str = field(metadata=key(Text(), "Preset that its axes vary."))
    height: int = field(metadata=key(SIDE, "Input height in pixels."))
    width: int = field(metadata=key(SIDE, "Input width in pixels."))
    only: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=key(Entries(Names()), "Axis to the labels that remain; axes that are not named keep all of theirs."),
    )

    def build(self) -> Space:
        """The space itself.

        Raises:
            SpaceError: No such space, axis or label.
            DesignError: No such base.
        """
        return space(self.name, base=self.base, height=self.height, width=self.width, only=self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What no evaluated design may exceed."""

    latency_ms: float | None = field(
        default=None, metadata=key(POSITIVE, "A design is pruned when P(latency > latency_ms) exceeds 1 - alpha.")
    )
    macs: float | None = field(default=None, metadata=key(POSITIVE, "Multiply-accumulates of one image."))
    parameters: float | None = field(default=None, metadata=key(POSITIVE, "Trainable numbers."))
    alpha: float = field(
        default=ALPHA,
        metadata=key(Between(0, 1), "Probability of meeting the latency limit below which nothing is trained."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RungDefinition:
    """One rung of a study that climbs a ladder of accuracies, cheapest first."""

    evaluator: EvaluatorDefinition = field(metadata=key(Section(EvaluatorDefinition), "Where its accuracy comes from."))
    keep: int | None = field(default=None, metadata=key(COUNT, "Designs that go on to the next rung."))
    eta: float | None = field(
        default=None, metadata=key(Number("a number above 1", 1.001), "Of so many designs one goes on, if not `keep`.")
    )
    strata: tuple[str, ...] = field(
        default=(),
        metadata=key(
            Names(may_be_empty=True), "Axes: who goes on is decided among designs that have the same labels on these."
        ),
    )
    seeds: int = field(
        default=1, metadata=key(COUNT, "Trainings of every design; more than one on the last rung only.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDefinition:
    """One study."""

    name: str = field(metadata=key(NAME, "Its name, for tables, plots and the run folder."))
    space: SpaceDefinition = field(metadata=key(Section(SpaceDefinition), "Which designs are possible."))
    objectives: tuple[str, ...] = field(
        metadata=key(Names(OBJECTIVES, "objectives.name"), "What is judged, first what is reported as best.")
    )
    evaluator: EvaluatorDefinition = field(metadata=key(Section(EvaluatorDefinition), "Where the accuracy comes from."))
    trials: int = field(metadata=key(COUNT, "Number of evaluated designs asked for."))
    device: str | None = field(
        default=None, metadata=key(Text(), "Device of the latency, where latency is an objective or limited.")
    )
    boundary: str = field(
        default=Boundary.LOGITS.value,
        metadata=key(Choice([one.value for one in Boundary]), "Where the graph ends whose latency is meant."),
    )
    limits: Limits = field(
        default_factory=Limits, metadata=key(Section(Limits), "What no evaluated design may exceed.")
    )
    sampler: str = field(default="ehvi", metadata=key(choice(SAMPLERS), "Sampler."))
    asked: int = field(default=10_000, metadata=key(COUNT, "Largest number of designs asked for, evaluated or not."))
    consider: int = field(
        default=2000,
        metadata=key(COUNT, "Designs that are costed before the first trial; the whole space where it is no larger."),
    )
    seed: int = field(default=0, metadata=key(SEED, "Seed of the sampler and of every evaluation."))
    anchors: tuple[str, ...] = field(
        default=(),
        metadata=key(
            Names(may_be_empty=True),
            "Designs that are tried first, after the base: presets, design files, or RUN:FINGERPRINT of another run.",
        ),
    )
    rung: tuple[RungDefinition, ...] = field(
        default=(),
        metadata=key(
            Sections(RungDefinition, "rung"),
            "The rungs of a ladder, cheapest first: in the place of `evaluator`, which is then that of the last one.",
        ),
    )
    rounds: int = field(
        default=1, metadata=key(COUNT, "Rounds in which the ladder is climbed, so that later designs profit from it.")
    )
    workers: Workers = field(
        default_factory=Workers,
        metadata=key(Section(Workers, short="count"), "What runs beside each other: a number, or a table."),
    )
    storage: str = field(
        default=JOURNAL,
        metadata=key(
            Storage(),
            "`journal`, or the URL of a database; any number of drivers share a study in PostgreSQL or SQLite.",
        ),
    )
    lease: float = field(
        default=120.0,
        metadata=key(
            Number("a number of seconds, at least 1", least=1),
            "Seconds without news after which other drivers take up what a driver evaluates.",
        ),
    )

    def __post_init__(self) -> None:
        if self.asked < self.trials:
            raise StudyError(f"asked must be at least trials ({self.trials}), got {self.asked}")
        if self.device is None and (LATENCY in self.objectives or self.limits.latency_ms is not None):
            raise StudyError("device is missing: latency is an objective or limited")
        if ACCURACY not in self.objectives:
            raise StudyError(f"objectives must hold {ACCURACY!r}, got {list(self.objectives)}")
        if self.rung:
            refuse(_ladder_problems(self), StudyError)
        elif self.rounds > 1:
            raise StudyError(f"rounds is for studies with rungs, got {self.rounds} without any")

    @property
    def wanted(self) -> tuple[int, ...]:
        """Designs on each rung, lowest first; those of a study without rungs are its trials."""
        found = [self.trials]
        for one in self.rung[:-1]:
            found.append(one.keep or ceil(found[-1] / (one.eta or 1)))
        return tuple(found)

    @property
    def evaluations(self) -> int:
        """Evaluations that give the accuracies of the study: every seed of every design of the last rung."""
        return self.wanted[-1] * (self.rung[-1].seeds if self.rung else 1)


def _ladder_problems(study: StudyDefinition) -> Iterator[str]:
    """What is wrong with the rungs together."""
    if len(study.rung) < 2:
        yield "a rung needs a lower one or a higher one, got a single rung: write it as [evaluator]"
        return
    for number, one in enumerate(study.rung[:-1], start=1):
        if (one.keep is None) == (one.eta is None):
            given = "neither" if one.keep is None else "both"
            yield f"rungs[{number}] must say how many go on: keep or eta, got {given}"
        if one.seeds != 1:
            yield f"rungs[{number}].seeds must be 1 below the last rung, got {one.seeds}"
    last = study.rung[-1]
    if last.keep is not None or last.eta is not None:
        yield f"rungs[{len(study.rung)}] is the last: from there no design goes on, got {last.keep or last.eta}"
    for number, (below, above) in enumerate(pairwise(study.wanted), start=1):
        if above > below:
            yield f"rungs[{number}].keep must be at most the {below} designs of that rung, got {above}"


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, before they are checked.

    Raises:
        StudyError: No readable TOML; the message names the file and the line.
    """
    return read_toml(Path(path), what="study file", error=StudyError)


def from_mapping(values: Mapping[str, Any]) -> StudyDefinition:
    """The study of the tables of a study file.

    Raises:
        StudyError: Wrong keys, types or values; the message names each and what is accepted.
    """
    study = read(StudyDefinition, _with_evaluator(values))
    if "tokenworld" in values.get("evaluator", {}) and study.evaluator.data != TOKENWORLD:
        raise StudyError(
            f"evaluator.tokenworld applies to data = {TOKENWORLD!r} only, got data = {study.evaluator.data!r}"
        )
    return study


def _with_evaluator(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables of a ladder with its last rung's evaluator as that of the study."""
    rungs = values.get("rung")
    if not rungs:
        return values
    if "evaluator" in values:
        raise StudyError("evaluator must be left out where rungs are given: the last rung's is the study's")
    last = rungs[-1] if isinstance(rungs, list) else None
    return {**values, "evaluator": last["evaluator"]} if isinstance(last, Mapping) and "evaluator" in last else values
