"""A truth table: designs, what their full trainings gave by seed, and what every cheaper accuracy said of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric, Record, State
from topformer.errors import StudyError

ACCURACIES = ("count", "proxy", "surrogate", "supernet", "trained")
"""Sources of the metrics that rank designs by accuracy, or in the place of one; the most trusted is the last."""
SUPERNET, TRAINED = "supernet", "trained"
COSTS = ("parameters", "macs", "latency_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDesign:
    """One design of a table.

    Attributes:
        fingerprint: With the input size, such as `3f9a1c2b7d04@128x128`.
        labels: Axis name to label.
        costs: Of `COSTS`, those that are known.
    """

    fingerprint: str
    labels: Mapping[str, str]
    costs: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to obtain an accuracy.

    Attributes:
        metric: What was measured on what, such as `miou@tokenworld-128`.
        source: One of `ACCURACIES`.
        iterations: Spent on each design; 0 where nothing is trained.
        schedule: Iterations of the whole training of which these are the first; the same where it ends there.
        evaluator: Kind and digest of the settings.
    """

    metric: str
    source: str
    iterations: int
    schedule: int
    evaluator: str = ""

    @property
    def name(self) -> str:
        """As tables and programs call it."""
        if self.source != TRAINED:
            return self.metric
        whole = "" if self.iterations == self.schedule else f" of {self.schedule}"
        return f"trained {self.iterations}{whole}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a rung said of a design.

    Attributes:
        fingerprint: The design.
        seed: Of the evaluation.
        value: More is better.
        seconds: Processor time, or wall-clock time where that was not counted.
        groups: Values of groups of classes, where they are known.
    """

    fingerprint: str
    seed: int
    value: float
    seconds: float
    groups: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthTable:
    """Designs and scores.

    Attributes:
        designs: By fingerprint.
        scores: By rung, each design and seed once.
        truth: The rung that the others are held against.
        protocol: How the truth was made, as plain JSON.
        fixed_seconds: Name of a rung to the processor seconds that it takes once, whatever the number of designs.
    """

    designs: Mapping[str, TableDesign]
    scores: Mapping[Rung, tuple[Score, ...]]
    truth: Rung
    protocol: Mapping[str, Any] = field(default_factory=dict)
    fixed_seconds: Mapping[str, float] = field(default_factory=dict)

    def by_seed(self, rung: Rung) -> dict[str, dict[int, float]]:
        """Fingerprint to the values of a rung by seed."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for score in self.scores[rung]:
            found[score.fingerprint][score.seed] = score.value
        return dict(found)

    def judged(self) -> "TruthTable":
        """The table with only the designs that have a truth."""
        kept = self.by_seed(self.truth).keys()
        return replace(
            self,
            designs={name: design for name, design in self.designs.items() if name in kept},
            scores={
                rung: tuple(score for score in found if score.fingerprint in kept)
                for rung, found in self.scores.items()
            },
        )

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> "TruthTable":
        """The table of the complete records of one or several runs.

        The truth is what comes from the most trusted source with most iterations, and among equals that of most
        records. Learning curves become rungs of their own, at their share of the time.

        Raises:
            StudyError: No record has an accuracy, or they are of several input sizes.
        """
        designs: dict[str, TableDesign] = {}
        scores: dict[Rung, dict[tuple[str, int], Score]] = defaultdict(dict)
        for record in records:
            named = _accuracy(record)
            if named is None:
                continue
            designs.setdefault(record.fingerprint, _design(record))
            for rung, score in _scores(record, *named):
                scores[rung][score.fingerprint, score.seed] = score
        return cls._of(designs, scores)

    @classmethod
    def joined(cls, tables: Iterable["TruthTable"]) -> "TruthTable":
        """The designs and scores of several tables; of two scores of one rung, design and seed the later counts.

        Raises:
            StudyError: None has a whole training or score, or they are of several input sizes.
        """
        designs: dict[str, TableDesign] = {}
        scores: dict[Rung, dict[tuple[str, int], Score]] = defaultdict(dict)
        fixed: dict[str, float] = {}
        for table in tables:
            designs |= table.designs
            fixed |= table.fixed_seconds
            for rung, found in table.scores.items():
                scores[rung] |= {(score.fingerprint, score.seed): score for score in found}
        return replace(cls._of(designs, scores), fixed_seconds=fixed)

    @classmethod
    def _of(
        cls, designs: Mapping[str, TableDesign], scores: Mapping[Rung, Mapping[tuple[str, int], Score]]
    ) -> "TruthTable":
        sizes = sorted({name.partition("@")[2] for name in designs})
        if len(sizes) > 1:
            raise StudyError(f"what is ranked together must have one input size, got {', '.join(sizes)}")
        full = [rung for rung in scores if rung.iterations == rung.schedule]
        if not full:
            raise StudyError("a truth table needs records with an accuracy, got none that are complete")
        return cls(
            designs=designs,
            scores={rung: tuple(found.values()) for rung, found in scores.items()},
            truth=max(full, key=lambda rung: (ACCURACIES.index(rung.source), rung.iterations, len(scores[rung]))),
        )


def _accuracy(record: Record) -> tuple[str, Metric] | None:
    """The accuracy of a complete record, by its name."""
    if record.state is not State.COMPLETE:
        return None
    found = [(name, metric) for name, metric in record.metrics.items() if metric.source in ACCURACIES]
    return found[0] if found else None


def _design(record: Record) -> TableDesign:
    families = {name.partition("@")[0]: metric.value for name, metric in record.metrics.items()}
    costs = {name: families[name] for name in COSTS if name in families}
    return TableDesign(fingerprint=record.fingerprint, labels=record.labels, costs=costs)


def _scores(record: Record, name: str, metric: Metric) -> Iterable[tuple[Rung, Score]]:
    """The value of a record, after what was seen on the way to it."""
    fidelity: Fidelity = record.fidelity
    budget = fidelity.budget if metric.source == TRAINED else 0
    seconds = float(record.details.get("cpu_seconds") or record.seconds)

    def rung(iterations: int) -> Rung:
        kind = fidelity.evaluator
        return Rung(metric=name, source=metric.source, iterations=iterations, schedule=budget, evaluator=kind)

    for text, value in record.details.get("curve", {}).items():
        share = int(text) / budget
        yield (
            rung(int(text)),
            Score(fingerprint=record.fingerprint, seed=record.seed, value=value, seconds=seconds * share),
        )
    yield (
        rung(budget),
        Score(
            fingerprint=record.fingerprint,
            seed=record.seed,
            value=metric.value,
            seconds=seconds,
            groups=record.details.get("groups", {}),
        ),
    )
