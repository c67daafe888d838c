"""What an ablation has to run: every design and seed once, less what is already paid for."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.records.fidelity import Fidelity, digest
from analysis.records.record import Record, State
from analysis.results.power import KNOWN_NOISE, Noise, power_sentence, typical_noise
from experiments.ablations.definition import RowDefinition, TableDefinition
from experiments.evaluators.base import Evaluator
from search_space.candidate import Candidate
from topformer.errors import StudyError

FOLDER: Mapping[str, Any] = {"name": "ablations"}
"""Description of the run folder: one for all ablations, so that tables share their runs."""
DETECT = 2.0
"""Percentage points of mIoU whose cost in seeds is stated by default."""
OWN = "the table's own"
"""Name of the base that is each table's own, and its size in words."""
LEAST_DEGREES = 4
"""Degrees of freedom from which the noise of our own records replaces the known one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every number of an ablation depends on besides design, budget and seed.

    Attributes:
        study: Digest of the settings; runs of one study and budget may stand in one table.
        metric: Name of the accuracy.
        settings: Evaluator, recipe and data, as plain JSON.
    """

    study: str
    metric: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, evaluator: Evaluator) -> "Identity":
        """The identity of an evaluator."""
        settings = dict(evaluator.describe())
        return cls(study=digest(settings), metric=evaluator.metric, settings=settings)

    @classmethod
    def of_record(cls, record: Record) -> "Identity":
        """The identity of the evaluator that a record of an ablation came from.

        Raises:
            StudyError: The record is of no ablation.
        """
        try:
            return cls(study=record.study, metric=record.details["metric"], settings=record.details["evaluator"])
        except KeyError as error:
            raise StudyError(f"the record of {record.fingerprint} is of no ablation: it has no {error}") from None

    def fidelity(self, height: int, width: int, budget: int) -> Fidelity:
        """What the evaluator's accuracies at that input size (pixels) and budget are obtained with."""
        return Fidelity.of(self.settings, height=height, width=width, budget=budget)

    def has_made(self, record: Record, budget: int) -> bool:
        """Whether a record's accuracy may stand beside others of this evaluator under that budget."""
        return record.fidelity == self.fidelity(record.height, record.width, budget)

    @property
    def classes(self) -> int | None:
        """Classes of the data, where the settings name them."""
        data = self.settings.get("data")
        return len(data["classes"]) if isinstance(data, Mapping) and "classes" in data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the rows' edits are applied to for the accuracy.

    Attributes:
        name: For tables.
        candidate: The design at the size of the data; None for the base and size of each table itself.
    """

    name: str
    candidate: Candidate | None

    @property
    def size(self) -> str:
        """The input size, in words."""
        return f"{self.candidate.height}x{self.candidate.width}" if self.candidate else OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run.

    Attributes:
        table: Id of the first table that needs it.
        row: Label of its row there.
        labels: Axis labels among the row's edits.
        candidate: What runs.
        seed: Its seed.
    """

    table: str
    row: str
    labels: Mapping[str, str]
    candidate: Candidate
    seed: int

    @property
    def key(self) -> tuple[str, int]:
        """What makes two runs of one evaluator and budget the same; the size is in the fingerprint."""
        return self.candidate.fingerprint, self.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """What one table needs.

    Attributes:
        id: The table.
        runs: Runs in all.
        fresh: Of these, to be run for this table.
        shared: Other table of this plan to the number of its runs that serve here too.
        paid: Table to the number of its earlier runs that are reused.
    """

    id: str
    runs: int
    fresh: int
    shared: Mapping[str, int]
    paid: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an ablation needs.

    Attributes:
        jobs: To run: first seed of every row first, so that what an interruption leaves is paired.
        tables: In the order asked for.
        reused: Different earlier runs that serve.
    """

    jobs: tuple[Job, ...]
    tables: tuple[TablePlan, ...]
    reused: int


def trained(row: RowDefinition, base: Base, classes: int | None) -> Candidate | None:
    """What runs for a row, with the classes of the data; None where the row has no accuracy on that base.

    Raises:
        StudyError: An edit cannot be applied to the base.
    """
    try:
        candidate = row.on(base.candidate)
    except StudyError as error:
        raise StudyError(f"row {row.label!r} on base {base.name}: {error}") from None
    if candidate is None or classes is None:
        return candidate
    return replace(candidate, design=replace(candidate.design, num_classes=classes)).canonical()


def plan(
    tables: Sequence[TableDefinition],
    base: Base,
    seeds: Sequence[int],
    *,
    classes: int | None = None,
    paid: Mapping[tuple[str, int], Record] | None = None,
) -> Plan:
    """What is to be run for the tables.

    Args:
        tables: In the order asked for.
        base: What the rows' edits are applied to.
        seeds: Of every row.
        classes: Classes of the data, where known.
        paid: Complete runs by fingerprint and seed; see `paid_runs`.
    """
    paid = paid or {}
    asked: dict[tuple[str, int], Job] = {}
    plans = []
    for table in tables:
        own = {job.key: job for job in _jobs(table, base, seeds, classes)}
        earlier = Counter(_payer(paid[key]) for key in own if key in paid)
        shared = Counter(asked[key].table for key in own if key in asked and key not in paid)
        fresh = sum(key not in asked and key not in paid for key in own)
        plans.append(TablePlan(id=table.id, runs=len(own), fresh=fresh, shared=shared, paid=earlier))
        asked = {**own, **asked}
    jobs = sorted((job for key, job in asked.items() if key not in paid), key=lambda job: seeds.index(job.seed))
    return Plan(jobs=tuple(jobs), tables=tuple(plans), reused=sum(key in paid for key in asked))


def _jobs(table: TableDefinition, base: Base, seeds: Iterable[int], classes: int | None) -> Iterable[Job]:
    for row in table.rows:
        candidate = trained(row, base, classes)
        if candidate is not None:
            labels = {name: value for name, value in row.edits.items() if isinstance(value, str)}
            for seed in seeds:
                yield Job(table=table.id, row=row.label, labels=labels, candidate=candidate, seed=seed)


def _payer(record: Record) -> str:
    return str(record.details.get("ablation", {}).get("table", "another run"))


def paid_runs(records: Iterable[Record], identity: Identity, budget: int) -> dict[tuple[str, int], Record]:
    """The complete runs of one evaluator and budget, by fingerprint and seed; of several the first."""
    runs: dict[tuple[str, int], Record] = {}
    for record in records:
        if record.state is State.COMPLETE and identity.has_made(record, budget):
            runs.setdefault((record.fingerprint, record.seed), record)
    return runs


def failed_runs(records: Iterable[Record], identity: Identity, budget: int) -> dict[tuple[str, int], Record]:
    """The failed runs of one evaluator and budget, by fingerprint and seed; of several the last."""
    return {
        (record.fingerprint, record.seed): record
        for record in records
        if record.state is State.FAILED and identity.has_made(record, budget)
    }


def seconds_per_iteration(records: Iterable[Record], identity: Identity, budget: int) -> float | None:
    """Mean wall-clock seconds of an iteration in the runs of an evaluator, of the same budget if any; or None."""
    complete = [record for record in records if record.state is State.COMPLETE and record.budget]
    pairs = [(r.seconds, r.budget) for r in complete if identity.has_made(r, r.budget)]
    # Loading and scoring take a share of the time that depends on the budget.
    spent = [pair for pair in pairs if pair[1] == budget] or pairs
    iterations = sum(count for _, count in spent)
    return sum(seconds for seconds, _ in spent) / iterations if iterations else None


def noise(metric: str, records: Iterable[Record]) -> Noise | None:
    """The noise between seeds: that of our own records of the metric, the known one, or None."""
    by_design: dict[str, list[float]] = {}
    for record in records:
        by_design.setdefault(record.fingerprint, []).append(record.metrics[metric].value)
    runs = list(by_design.values())
    if sum(len(scores) - 1 for scores in runs) < LEAST_DEGREES:
        return KNOWN_NOISE.get(metric)
    return typical_noise(runs, f"the {sum(map(len, runs))} runs recorded so far")


def power(rows: int, seeds: int, known: Noise | None, detect: float) -> str:
    """What so many seeds can show before anything ran, as a sentence; empty where there is nothing to compare.

    Args:
        rows: Different networks of the table that have an accuracy, the baseline included.
        seeds: Of every row.
        known: The noise between seeds.
        detect: A difference of interest, in percentage points.
    """
    pairs = [(known.sd, known.sd)] * (rows - 1) if known is not None else []
    return power_sentence(pairs, seeds=seeds, detect=detect)
