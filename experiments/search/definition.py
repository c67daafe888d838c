"""The definition of a study: what is varied, judged, limited and spent; read from a TOML file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from topformer.kinds import Between, Choice, Entries, JsonSchema, Kind, Names, Text
from topformer.schema import Section, key, read

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
    workers: Workers = field(
        default_factory=Workers,
        metadata=key(Section(Workers, short="count"), "What runs beside each other: a number, or a table."),
    )
    storage: str = field(
        default=JOURNAL, metadata=key(Storage(), "`journal`, or the URL of a database that Optuna can use.")
    )

    def __post_init__(self) -> None:
        if self.asked < self.trials:
            raise StudyError(f"asked must be at least trials ({self.trials}), got {self.asked}")
        if self.device is None and (LATENCY in self.objectives or self.limits.latency_ms is not None):
            raise StudyError("device is missing: latency is an objective or limited")
        if ACCURACY not in self.objectives:
            raise StudyError(f"objectives must hold {ACCURACY!r}, got {list(self.objectives)}")


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
    study = read(StudyDefinition, values)
    if "tokenworld" in values["evaluator"] and study.evaluator.data != TOKENWORLD:
        raise StudyError(
            f"evaluator.tokenworld applies to data = {TOKENWORLD!r} only, got data = {study.evaluator.data!r}"
        )
    return study
