"""The definition of a study: what is varied, judged, limited and spent; read from a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.evaluators import EVALUATORS
from experiments.evaluators.definition import TOKENWORLD, EvaluatorDefinition, Tokenworld
from experiments.kinds import canonical
from experiments.search.samplers import SAMPLERS
from search_space.spaces.space import Space, space
from topformer.errors import StudyError
from topformer.schema import Table

ACCURACY = "accuracy"
LATENCY = "latency_ms"
OBJECTIVES = (ACCURACY, LATENCY, "macs", "parameters")
"""What a study may judge by: the accuracy is maximised, every cost is minimised."""
JOURNAL = "journal"
"""The storage that is a file of the run folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDefinition:
    """Which designs are possible.

    Attributes:
        name: A space of `search_space.spaces.space`.
        base: Preset that its axes vary.
        height: Input height in pixels.
        width: Input width in pixels.
        only: Axis name to the labels that remain; axes that are not named keep all of theirs.
    """

    name: str
    base: str
    height: int
    width: int
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def build(self) -> Space:
        """The space itself.

        Raises:
            SpaceError: No such space, axis or label.
            DesignError: No such base.
        """
        return space(self.name, base=self.base, height=self.height, width=self.width, only=self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What no evaluated design may exceed.

    Attributes:
        latency_ms: A design is pruned when P(latency > latency_ms) exceeds 1 - alpha.
        macs: Multiply-accumulates of one image.
        parameters: Trainable numbers.
        alpha: Probability of meeting the latency limit below which nothing is trained.
    """

    latency_ms: float | None = None
    macs: float | None = None
    parameters: float | None = None
    alpha: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDefinition:
    """One study.

    Attributes:
        name: Its name, for tables and plots.
        space: Which designs are possible.
        objectives: Names out of `OBJECTIVES`, first the one that is reported as best.
        device: Device of the latency, where latency is an objective or limited.
        limits: What no evaluated design may exceed.
        sampler: A name of `experiments.search.samplers.SAMPLERS`.
        trials: Number of evaluated designs asked for.
        asked: Largest number of designs asked for, evaluated or not.
        consider: Designs that are costed before the first trial; the whole space where it is no larger.
        seed: Seed of the sampler and of every evaluation.
        workers: Evaluations that run beside each other.
        evaluator: Where the accuracy comes from.
        storage: `journal`, or the URL of a database that Optuna can use.
    """

    name: str
    space: SpaceDefinition
    objectives: tuple[str, ...]
    evaluator: EvaluatorDefinition
    trials: int
    device: str | None = None
    limits: Limits = field(default_factory=Limits)
    sampler: str = "tpe"
    asked: int = 10_000
    consider: int = 2000
    seed: int = 0
    workers: int = 1
    storage: str = JOURNAL

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
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not UTF-8 text: {error}") from None
    except OSError as error:
        raise StudyError(f"study file {path}: {error.strerror}") from None


def from_mapping(values: Mapping[str, Any]) -> StudyDefinition:
    """The study of the tables of a study file.

    Raises:
        StudyError: A wrong key, type or value; the message names the key and what is accepted.
    """
    table = Table("", values, StudyDefinition.__dataclass_fields__)
    objectives = table.names("objectives")
    for name in objectives:
        if name not in OBJECTIVES:
            # Raises, with the nearest name.
            Table("objectives", {"name": name}, ["name"]).among("name", OBJECTIVES)
    return StudyDefinition(
        name=table.text("name"),
        space=_space(table.table("space")),
        objectives=objectives,
        device=table.text("device") if table.has("device") else None,
        limits=_limits(table.table("limits")),
        sampler=canonical("sampler", table.text("sampler", "tpe"), SAMPLERS, StudyError),
        trials=table.integer("trials"),
        asked=table.integer("asked", 10_000),
        consider=table.integer("consider", 2000),
        seed=table.integer("seed", 0, least=0),
        workers=table.integer("workers", 1),
        evaluator=_evaluator(table.table("evaluator")),
        storage=_storage(table.text("storage", JOURNAL)),
    )


def _space(values: Mapping[str, Any]) -> SpaceDefinition:
    table = Table("space", values, SpaceDefinition.__dataclass_fields__)
    only = table.table("only")
    reader = Table("space.only", only, only)
    return SpaceDefinition(
        name=table.text("name"),
        base=table.text("base"),
        height=table.integer("height", least=32),
        width=table.integer("width", least=32),
        only=MappingProxyType({axis: reader.names(axis) for axis in only}),
    )


def _limits(values: Mapping[str, Any]) -> Limits:
    table = Table("limits", values, Limits.__dataclass_fields__)
    return Limits(
        latency_ms=table.positive("latency_ms"),
        macs=table.positive("macs"),
        parameters=table.positive("parameters"),
        alpha=table.between("alpha", 0, 1, 0.05),
    )


def _evaluator(values: Mapping[str, Any]) -> EvaluatorDefinition:
    table = Table("evaluator", values, EvaluatorDefinition.__dataclass_fields__)
    made = Table("evaluator.tokenworld", table.table("tokenworld"), Tokenworld.__dataclass_fields__)
    data = table.text("data")
    if table.has("tokenworld") and data != TOKENWORLD:
        raise StudyError(f"evaluator.tokenworld applies to data = {TOKENWORLD!r} only, got data = {data!r}")
    return EvaluatorDefinition(
        kind=table.among("kind", EVALUATORS),
        data=data,
        budget=table.integer("budget"),
        settings=MappingProxyType(dict(table.table("settings"))),
        tokenworld=Tokenworld(
            training=made.integer("training", 2000),
            validation=made.integer("validation", 300),
            seed=made.integer("seed", 0, least=0),
        ),
    )


def _storage(text: str) -> str:
    if text != JOURNAL and "://" not in text:
        raise StudyError(f"storage must be {JOURNAL!r} or a URL such as sqlite:///study.db, got {text!r}")
    return text
