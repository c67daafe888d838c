"""Ablation tables as results: exact costs, printed figures, and the scores of the records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from analysis.records.record import Metric, Record
from analysis.results.ablation import (
    SHARES,
    Ablation,
    AblationRow,
    Evaluation,
    MeasuredRow,
    paper_directions,
    table_statistics,
)
from experiments.ablations.definition import RowDefinition, TableDefinition
from experiments.ablations.plan import Base, Identity, failed_runs, noise, noise_words, paid_runs, power, trained
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.latency.calibration.devices import device
from search_space.latency.calibration.left_out import HeldOutPrediction, left_out

DEVICE = "snapdragon-865"
"""The device whose latencies the paper prints."""


def results(
    tables: Sequence[TableDefinition],
    base: Base,
    records: Iterable[Record] = (),
    *,
    identity: Identity | None = None,
    budget: int = 0,
    seeds: Sequence[int] = (),
    detect: float = 2.0,
) -> tuple[Ablation, ...]:
    """The tables with their costs, and with what the records say of their rows.

    Args:
        tables: As declared.
        base: What the rows' edits were applied to for the accuracy.
        records: Of any study; those of `identity` and `budget` are read.
        identity: Where the accuracy comes from; None for tables of costs alone.
        budget: Iterations of each run.
        seeds: Which runs are read.
        detect: A difference of interest for the power statement, in percentage points.
    """
    kept = list(records)
    return tuple(_result(table, base, kept, identity, budget, tuple(seeds), detect) for table in tables)


def _result(
    table: TableDefinition,
    base: Base,
    records: Sequence[Record],
    identity: Identity | None,
    budget: int,
    seeds: tuple[int, ...],
    detect: float,
) -> Ablation:
    rows = [_row(row, table.columns) for row in table.rows]
    evaluation, notes = None, [*table.notes, *_latency_notes(table)]
    if identity is not None:
        paid, failed = paid_runs(records, identity, budget), failed_runs(records, identity, budget)
        measured = _measured(table, base, identity, seeds, paid, failed)
        if measured:
            judgement = table_statistics(
                measured,
                paper_directions(rows, table.baseline),
                baseline=table.baseline,
                similar_within=table.similar_within,
            )
            rows = [replace(row, measured=judgement.rows.get(row.label)) for row in rows]
            known = noise(identity.metric, paid.values())
            said = power(sum(not row.same_as for row in measured.values()), len(seeds), known, detect)
            evaluation = Evaluation(
                metric=identity.metric,
                base=base.name,
                size=base.size,
                budget=budget,
                seeds=seeds,
                study=identity.study,
                settings=identity.settings,
                common=judgement.common,
                residual_sd=judgement.residual_sd,
                residual_degrees=judgement.residual_degrees,
                power=tuple(line for line in (said, noise_words(known)) if line),
            )
    return Ablation(
        id=table.id,
        title=table.title,
        source=table.source,
        base=table.base,
        baseline=table.baseline,
        rows=tuple(rows),
        columns=table.columns,
        notes=tuple(notes),
        figure=table.figure,
        evaluation=evaluation,
    )


def _row(row: RowDefinition, columns: Sequence[str]) -> AblationRow:
    return AblationRow(
        label=row.label,
        edits=row.words,
        fingerprint=row.candidate.fingerprint if row.candidate else "",
        costs=costs(row.candidate, columns, row.part) if row.candidate else _counted(row, columns),
        published=row.published,
        claim=row.claim,
        why=row.why,
    )


def _counted(row: RowDefinition, columns: Sequence[str]) -> dict[str, Metric]:
    """Costs of a row that is no design: as stated, and the latency that the model without the row predicts."""
    found = {name: row.counted[name] for name in columns if name in row.counted}
    if "latency_ms" in columns and "latency_ms" in row.published and row.label in (told := _told()):
        one = told[row.label]
        found["latency_ms"] = Metric(value=one.milliseconds, source="predicted", low=one.low, high=one.high)
    return found


@cache
def _told() -> Mapping[str, HeldOutPrediction]:
    return {one.row.name: one for one in left_out(DEVICE)}


def costs(candidate: Candidate, columns: Sequence[str], part: str = "") -> dict[str, Metric]:
    """Our numbers for the columns: parameters and MACs exact, the latency predicted for `DEVICE`.

    Args:
        candidate: The design and size.
        columns: Names out of `analysis.results.ablation.COSTS` and `SHARES`.
        part: Part of the network whose shares are asked for, for the columns of `SHARES`.
    """
    counted = cost(candidate)
    if set(columns) & set(SHARES):
        mine, estimate = counted.by_module[part], device(DEVICE).estimate(candidate)
        found = {
            "parameters_share": Metric(value=mine.parameters / counted.parameters, source="exact"),
            "macs_share": Metric(value=mine.macs_paper_convention / counted.macs_paper_convention, source="exact"),
            "latency_share": Metric(value=estimate.by_module[part] / estimate.milliseconds, source="predicted"),
        }
    else:
        found = {
            "parameters": Metric(value=counted.parameters, source="exact"),
            "macs_paper": Metric(value=counted.macs_paper_convention, source="exact"),
            "macs": Metric(value=counted.macs, source="exact"),
        }
    if "latency_ms" in columns:
        estimate = device(DEVICE).estimate(candidate)
        found["latency_ms"] = Metric(
            value=estimate.milliseconds, source="predicted", low=estimate.low, high=estimate.high
        )
    return {name: found[name] for name in columns}


def _latency_notes(table: TableDefinition) -> tuple[str, ...]:
    candidates = [row.candidate for row in table.rows if row.candidate is not None]
    if "latency_ms" not in table.columns or not candidates:
        return ()
    boundaries = dict.fromkeys(device(DEVICE).estimate(candidate).boundary for candidate in candidates)
    return (
        f"Our latency is predicted for {DEVICE}, with its 95 % interval; the timed graph: {'; '.join(boundaries)}.",
    )


def _measured(
    table: TableDefinition,
    base: Base,
    identity: Identity,
    seeds: Sequence[int],
    paid: Mapping[tuple[str, int], Record],
    failed: Mapping[tuple[str, int], Record],
) -> dict[str, MeasuredRow]:
    """The scores of every row that has an accuracy, also where none ran yet."""
    first: dict[str, str] = {}
    rows: dict[str, MeasuredRow] = {}
    for row in table.rows:
        candidate = trained(row, base, identity.classes)
        if candidate is None:
            continue
        name = candidate.fingerprint
        owner = first.setdefault(name, row.label)
        runs = {seed: paid[name, seed] for seed in seeds if (name, seed) in paid}
        rows[row.label] = MeasuredRow(
            fingerprint=name,
            scores={seed: run.metrics[identity.metric].value for seed, run in runs.items()},
            failed={s: failed[name, s].reason for s in seeds if (name, s) in failed and s not in runs},
            same_as=owner if owner != row.label else "",
        )
    return rows
