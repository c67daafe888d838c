"""The rungs of a ladder as a table, with what stands above and below it."""

from analysis.reports.text_table import TextTable, plain
from analysis.results.ladder import OVER, Ladder, RungQuality

HEADER = ("rung", "designs", "tau [95 %]", "of ceiling", "best quarter", "regret of ten", "s/design")


def ladder_table(found: Ladder) -> TextTable:
    """One row per rung; a number that cannot be stated is an empty cell."""
    title = f"Kendall's tau with {found.truth}, {found.designs} designs"
    return TextTable.of(title, HEADER, [_row(one, found) for one in found.rungs])


def ladder_text(found: Ladder, *, width: int = 100) -> str:
    """The table for a terminal, and what limits it."""
    return "\n".join([plain(ladder_table(found), width=width), *ladder_notes(found)])


def ladder_notes(found: Ladder) -> list[str]:
    """What a reader of the table must know, a sentence each."""
    lines, one = [], found.ceiling
    if one is None:
        lines.append(f"no ceiling: {found.seeds} designs have two seeds")
    else:
        span = f"{one.tau:.2f} [{one.low:.2f}, {one.high:.2f}]"
        lines.append(
            f"ceiling: one seed's order agrees with the other's at {span} ({one.designs} designs)"
            if found.is_measured
            else f"ceiling: {span}, expected from the noise between seeds; {found.seeds} designs have two seeds"
        )
    if found.noise is not None:
        lines.append(f"standard deviation between seeds: {found.noise:.2f}, typical of a design")
    if any(one.across_seeds is False for one in found.rungs):
        lines.append("trainings share their seed with the truth, because too few designs have two: this flatters them")
    return [*lines, f"s/design: processor seconds; what a rung takes once is spread over {OVER} designs"]


def _row(one: RungQuality, found: Ladder) -> list[str]:
    interval = "" if one.tau is None else f"{one.tau:.2f} [{one.low:.2f}, {one.high:.2f}]"
    ceiling = 0.0 if found.ceiling is None else found.ceiling.tau
    share = "" if one.tau is None or ceiling <= 0 else f"{one.tau / ceiling:.0%}"
    return [
        one.rung,
        str(one.designs),
        interval,
        share,
        "" if one.tau_best_quarter is None else f"{one.tau_best_quarter:.2f}",
        "" if one.regret_best_ten is None else f"{one.regret_best_ten:.1f}",
        f"{one.seconds_per_design:.3g}",
    ]
