"""The statistics of one table: its verdicts, and what its seeds can show."""

from dataclasses import replace

import pytest

from analysis.reports.ablation_table import verdicts
from analysis.results.ablation import AblationRow, Claim, MeasuredRow
from analysis.results.effects import Agreement, Direction
from analysis.results.power import KNOWN_NOISE, sd_sentence, seeds_needed, smallest_difference
from analysis.results.table_statistics import paper_directions, power_lines, table_statistics
from tests.analysis_tests.ablation_examples import ablation, measured, printed


def test_directions_come_from_numbers_or_else_from_words() -> None:
    rows = [
        AblationRow(label="base", published={"miou": printed(37.8)}),
        AblationRow(label="lower", published={"miou": printed(37.0)}),
        AblationRow(
            label="words", published={"miou": printed(None)}, claim=Claim(direction=Direction.SIMILAR, source="text")
        ),
        AblationRow(label="nothing", published={"miou": printed(None)}),
    ]
    assert paper_directions(rows, "base") == {
        "base": None, "lower": Direction.WORSE, "words": Direction.SIMILAR, "nothing": None,
    }  # fmt: skip


def test_the_verdicts_of_a_table() -> None:
    rows = {row.label: row.measured for row in ablation().rows if row.measured is not None}
    assert rows["a|b"].agreement is Agreement.AGREES
    assert rows["c_50%"].agreement is Agreement.UNKNOWN
    assert rows["ours"].agreement is None
    assert verdicts(ablation()) == "1 agrees, 1 paper unknown"


def test_every_seed_of_a_row_counts_also_where_another_row_failed() -> None:
    rows = measured(a=[1.0, 2.0, 3.0], b=[2.0, 3.5, 9.0])
    rows["b"] = replace(rows["b"], scores={0: 2.0, 2: 9.0}, failed={1: "the loss is not finite"})
    statistics = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert statistics.common == (0, 2)
    gap = statistics.rows["b"].difference
    assert gap is not None
    assert gap.mean == pytest.approx(5.5 - 2.0)


def test_a_row_without_runs_takes_nothing_from_the_others() -> None:
    rows = {**measured(a=[1.0, 2.0], b=[2.0, 3.1]), "later": MeasuredRow(fingerprint="later@128x128", scores={})}
    found = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert found.common == (0, 1)
    assert found.rows["later"].summary is None


def test_a_row_that_is_the_baseline_network_has_no_difference() -> None:
    rows = measured(a=[1.0, 2.0], b=[2.0, 3.1])
    rows["twin"] = MeasuredRow(fingerprint="a@128x128", scores={0: 1.0, 1: 2.0}, same_as="a")
    found = table_statistics(rows, {}, baseline="a", similar_within=1.0)
    assert found.rows["twin"].difference is None
    assert found.rows["b"].difference is not None
    assert len(found.pairs) == 1


def test_a_verdict_that_cannot_be_given_says_how_many_seeds_it_needs() -> None:
    rows = measured(base=[50.0, 52.0, 51.0], near=[49.0, 51.5, 50.5], far=[40.0, 41.0, 42.0])
    claims = dict.fromkeys(rows, Direction.WORSE)
    statistics = table_statistics(rows, claims, baseline="base", similar_within=1.0)
    assert statistics.rows["near"].agreement is Agreement.CANNOT_TELL
    assert statistics.rows["near"].seeds_for_verdict == seeds_needed(
        (statistics.pairs[0][0], 1.0), 51 - 151 / 3, comparisons=2
    )
    assert statistics.rows["far"].agreement is Agreement.AGREES
    assert statistics.rows["far"].seeds_for_verdict is None


def test_the_power_of_a_table_that_ran_is_that_of_its_own_noise() -> None:
    statistics = table_statistics(measured(a=[1.0, 2.0, 3.0], b=[5.0, 5.1, 5.2]), {}, baseline="a", similar_within=1.0)
    lines = power_lines(statistics, seeds=5, detect=2.0, noise=KNOWN_NOISE["miou@tokenworld-128"])
    least = smallest_difference((0.1, 1.0), seeds=3, comparisons=1)
    assert lines[0].startswith(f"3 seeds can show a difference to the baseline of {least:.1f} points")
    assert lines[1] == sd_sentence(3)


def test_the_power_of_a_table_that_did_not_run_is_that_of_the_known_noise() -> None:
    rows = {name: MeasuredRow(fingerprint=name, scores={}) for name in "abc"}
    noise = KNOWN_NOISE["miou@tokenworld-128"]
    lines = power_lines(table_statistics(rows, {}, baseline="a", similar_within=1.0), seeds=3, detect=2.0, noise=noise)
    least = smallest_difference((noise.sd, noise.sd), seeds=3, comparisons=2)
    assert lines[0].startswith(f"3 seeds can show a difference to the baseline of {least:.1f} points")
    assert "docs/ablations/records.jsonl" in lines[1]


def test_rows_that_are_all_equal_say_that_nothing_was_learned() -> None:
    statistics = table_statistics(
        measured(a=[12.5] * 3, b=[12.5] * 3), {"b": Direction.WORSE}, baseline="a", similar_within=1.0
    )
    assert statistics.rows["b"].agreement is Agreement.CANNOT_TELL
    assert power_lines(statistics, seeds=3, detect=2.0, noise=None) == (
        "every run of every row scored 12.5: nothing was learned, nothing can be compared",
    )
