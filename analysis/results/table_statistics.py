"""The statistics of one ablation table: every row against the baseline, and what its seeds can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.results.ablation import AblationRow, MeasuredRow
from analysis.results.effects import Agreement, Direction, agreement, differences, groups, summary
from analysis.results.power import Noise, Pair, noise_sentence, power_sentence, sd_sentence, seeds_for_verdict


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """The measured half of a table after its statistics.

    Attributes:
        rows: Label to row.
        common: Seeds that every row with a score has.
        pairs: Noise of each compared row and of the baseline.
        uniform: The one score that every run of several rows has; None where scores differ, as they should.
    """

    rows: Mapping[str, MeasuredRow]
    common: tuple[int, ...]
    pairs: tuple[Pair, ...]
    uniform: float | None


def table_statistics(
    measured: Mapping[str, MeasuredRow],
    claims: Mapping[str, Direction | None],
    *,
    baseline: str,
    similar_within: float,
) -> TableStatistics:
    """The rows with their statistics.

    A row that is the same network as an earlier one takes no part, and has that one's result.

    Args:
        measured: Label of a row to its scores, in the order of the table.
        claims: Label of a row to what the paper says of it.
        baseline: Label of the row that the others are compared with; empty without one.
        similar_within: The largest difference that counts as similar.
    """
    scored = {label: list(row.scores.values()) for label, row in measured.items() if row.scores and not row.same_as}
    reference = measured[baseline].same_as or baseline if baseline in measured else ""
    gaps = differences(scored, reference) if reference in scored else {}
    summaries = {label: summary(scores) for label, scores in scored.items()}
    letters = groups(scored)
    rows: dict[str, MeasuredRow] = {}
    for label, row in measured.items():
        source = row.same_as or label
        rows[label] = replace(
            row,
            summary=summaries.get(source),
            difference=gaps.get(source),
            group=letters.get(source, ""),
            agreement=None
            if label == baseline or not baseline
            else agreement(claims.get(label), gaps.get(source), similar_within=similar_within),
        )
    pairs = {
        label: (summaries[label].sd or 0.0, summaries[reference].sd or 0.0)
        for label, gap in gaps.items()
        if gap.p is not None
    }
    rows = {
        label: replace(row, seeds_for_verdict=_seeds_for_verdict(row, claims.get(label), pairs, label, similar_within))
        for label, row in rows.items()
    }
    seeds = set.intersection(*(set(measured[label].scores) for label in scored)) if scored else set()
    values = {score for scores in scored.values() for score in scores}
    return TableStatistics(
        rows=rows,
        common=tuple(sorted(seeds)),
        pairs=tuple(pairs.values()),
        uniform=values.pop() if len(scored) > 1 and len(values) == 1 else None,
    )


def _seeds_for_verdict(
    row: MeasuredRow, claim: Direction | None, pairs: Mapping[str, Pair], label: str, similar_within: float
) -> int | None:
    pair = pairs.get(row.same_as or label)
    if row.agreement is not Agreement.CANNOT_TELL or claim is None or pair is None or row.difference is None:
        return None
    return seeds_for_verdict(claim, pair, row.difference.mean, comparisons=len(pairs), similar_within=similar_within)


def power_lines(statistics: TableStatistics, *, seeds: int, detect: float, noise: Noise | None) -> tuple[str, ...]:
    """What the seeds of a table can show, as sentences: by its own noise once it ran, else by what is known.

    Args:
        statistics: Of the table.
        seeds: Asked for.
        detect: A difference of interest, in percentage points.
        noise: Between seeds, from earlier runs.
    """
    if statistics.uniform is not None:
        return (f"every run of every row scored {statistics.uniform:g}: nothing was learned, nothing can be compared",)
    if statistics.pairs:
        ran = min(row.summary.n for row in statistics.rows.values() if row.summary is not None)
        return (power_sentence(statistics.pairs, seeds=ran, detect=detect), sd_sentence(ran))
    comparisons = sum(not row.same_as for row in statistics.rows.values()) - 1
    pairs = [(noise.sd, noise.sd)] * comparisons if noise is not None else []
    return tuple(line for line in (power_sentence(pairs, seeds=seeds, detect=detect), noise_sentence(noise)) if line)


def paper_directions(rows: Sequence[AblationRow], baseline: str) -> dict[str, Direction | None]:
    """Label of a row to the direction that the paper gives: by its numbers against the baseline's, or by its words."""
    numbers = {row.label: row.published["miou"].value for row in rows if "miou" in row.published}
    reference = numbers.get(baseline)
    directions: dict[str, Direction | None] = {}
    for row in rows:
        number = numbers.get(row.label)
        if row.claim is not None:
            directions[row.label] = row.claim.direction
        elif number is None or reference is None or row.label == baseline:
            directions[row.label] = None
        else:
            directions[row.label] = _direction(number - reference)
    return directions


def _direction(difference: float) -> Direction:
    if difference == 0:
        return Direction.SIMILAR
    return Direction.BETTER if difference > 0 else Direction.WORSE
