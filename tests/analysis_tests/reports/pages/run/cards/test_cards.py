"""The cards of the page of a run, each as what it says of runs whose answers are known."""

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric, Record
from analysis.reports.pages.card import shown_cards
from analysis.reports.pages.run import cards
from analysis.reports.pages.run.cards.designs import BARRED
from analysis.reports.pages.run.facts import Facts
from tests.analysis_tests.examples import FIDELITY, LATENCY, MIOU, record
from tests.analysis_tests.reports.pages.run.runs import HOSTILE, facts, some, trial
from tests.analysis_tests.reports.pages.texts import texts


def test_every_card_speaks_of_a_whole_run(tmp_path: Path) -> None:
    found = texts(cards, facts(tmp_path, some()))
    assert list(found) == [
        "summary",
        "designs",
        "common",
        "importance",
        "effects",
        "lines",
        "progress",
        "left-out",
        "honesty",
        "made",
    ]
    assert "12 designs evaluated, 1 pruned before training, 1 failed." in found["summary"]
    assert "latency ... ms exceeds the limit of ... ms with probability ..." in found["left-out"]
    assert "1.6 % (15 designs, docs/ablations/records.jsonl" in found["honesty"]
    assert "typically a factor of 2.00 either way" in found["honesty"]
    assert "miou@tokenworld-128 is trained, under 1,200 iterations." in found["honesty"]
    assert "12.0 minutes" not in found["made"]
    assert "14.0 minutes" in found["made"]


def test_no_card_lets_a_name_act(tmp_path: Path) -> None:
    found = facts(tmp_path, some(), name=HOSTILE)
    assert not any("<img" in card.html for card in shown_cards(cards, found))


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    found = texts(cards, facts(tmp_path, [], is_running=True))
    assert set(found) == {"summary", "made"}
    assert "No trial has ended yet. The run goes on" in found["summary"]


def test_a_run_whose_designs_were_all_pruned_has_reasons_and_no_front(tmp_path: Path) -> None:
    found = texts(cards, facts(tmp_path, [trial(number, None, 8.0, 64, reason="too slow") for number in range(3)]))
    assert "there is no front" in found["summary"]
    assert "too slow" in found["left-out"]
    assert {"common", "importance", "effects", "progress", "lines"}.isdisjoint(found)


def test_a_single_design_is_a_front_of_one(tmp_path: Path) -> None:
    found = texts(cards, facts(tmp_path, [trial(0, 50.0, 3.0, 64)]))
    assert "1 design is on the front" in found["summary"]
    assert "1 evaluated designs are too few to tell" in found["importance"]
    assert "common" not in found


def test_what_cannot_be_compared_is_counted_not_ranked(tmp_path: Path) -> None:
    other = replace(FIDELITY, budget=100)
    half = replace(record(2), metrics={MIOU: Metric(value=1.0, source="trained")})
    found = texts(cards, facts(tmp_path, [trial(0, 50.0, 3.0, 64), trial(1, 99.0, 3.0, 64, fidelity=other), half]))
    assert "1 designs were evaluated as lean:0123456789ab on" in found["honesty"]
    assert "1 evaluated designs have no number for every objective" in found["honesty"]


def seeded(number: int, seed: int, miou: float) -> Record:
    return trial(number, miou, 3.0, 64, seed=seed)


def test_seeds_of_one_design_give_the_noise(tmp_path: Path) -> None:
    found = facts(tmp_path, [seeded(0, 0, 50.0), seeded(1, 0, 70.0)])
    one, other = found.run.records
    # The same design under another seed: the standard deviation of 50 and 52 is 1.414, and the median of that of two
    # seeds 0.6745 of the true one (chi square with one degree of freedom).
    again = replace(one, trial=2, seed=1, metrics={**one.metrics, MIOU: Metric(value=52.0, source="trained")})
    same = Facts.of(replace(found.run, records=(one, other, again)), "nano", is_running=False)
    assert "standard deviation is 2.1 % (1 designs, this run)" in texts(cards, same)["honesty"]


def test_a_metric_whose_noise_nobody_knows_is_said_to_be_one(tmp_path: Path) -> None:
    one = trial(0, 50.0, 3.0, 64)
    metrics = {name.replace("tokenworld-128", "mine"): metric for name, metric in one.metrics.items()}
    objectives = [{"metric": "miou@mine", "direction": "maximize"}, {"metric": LATENCY, "direction": "minimize"}]
    found = texts(cards, facts(tmp_path, [replace(one, metrics=metrics)], objectives=objectives))
    assert "Each point is one seed" in found["honesty"]


def test_shared_and_single_errors_are_told_apart(tmp_path: Path) -> None:
    one = trial(0, 50.0, 3.0, 64)
    known = replace(one.metrics[LATENCY], shared_sd=0.08, own_sd=0.02)
    found = texts(cards, facts(tmp_path, [replace(one, metrics={**one.metrics, LATENCY: known})]))
    assert "Of that error 8.0% (standard deviation) is shared" in found["honesty"]
    assert "2.0% is of a single design" in found["honesty"]


def test_the_front_is_said_to_share_what_all_of_it_has(tmp_path: Path) -> None:
    records = [
        *(trial(number, 60.0 + number, 3.0 + number, 64 + 32 * number, "concat") for number in range(3)),
        *(trial(number, 20.0, 8.0, 64, "sum") for number in range(3, 8)),
    ]
    found = texts(cards, facts(tmp_path, records))
    assert "All 3 designs have: head concat." in found["common"]
    assert "They are only 3" in found["common"]
    assert re.search(r"head\s+concat\s+100%\s+38%", found["common"])


def test_effects_are_differences_of_means(tmp_path: Path) -> None:
    records = [trial(0, 50.0, 2.0, 64), trial(1, 52.0, 3.0, 64), trial(2, 60.0, 4.0, 96), trial(3, 62.0, 5.0, 96)]
    effects = texts(cards, facts(tmp_path, records))["effects"]
    assert re.search(r"width: 96\s+2\s+\+10\.00 \[\+3\.92, \+16\.08\]\s+\+2\.00", effects)


def test_growth_is_told_by_the_last_design_that_joined(tmp_path: Path) -> None:
    records = [trial(0, 50.0, 4.0, 64), trial(1, 60.0, 4.5, 64), trial(2, 10.0, 5.0, 64), trial(3, 11.0, 5.5, 64)]
    assert (
        "The last design to join the front was number 2 of 4 evaluated."
        in texts(cards, facts(tmp_path, records))["progress"]
    )


@pytest.mark.parametrize("finished", ["", "2026-11-28T10:00:00+00:00"])
def test_a_time_that_is_none_does_not_stop_the_page(finished: str, tmp_path: Path) -> None:
    records = [replace(trial(number, 50.0 + number, 4.0, 64), finished=finished) for number in range(3)]
    assert "of 3 evaluated" in texts(cards, facts(tmp_path, records))["progress"]


COUNTED = Fidelity.of({"kind": "count"}, height=128, width=128, budget=0)
LAST = {"kind": "lean", "data": {"name": "tokenworld-128"}}


def counts(one: Record) -> dict[str, Metric]:
    """The metrics of a record with a count in the place of its accuracy."""
    kept = {name: metric for name, metric in one.metrics.items() if name != MIOU}
    return {**kept, "count@macs": Metric(value=1e7 * one.trial, source="count")}


def climbed(folder: Path, *, confirmed: int) -> Facts:
    """Eight designs of a lower rung, of which some came to the last one, the two best with two seeds."""
    last = Fidelity.of(LAST, height=128, width=128, budget=1200)
    rungs = [
        {"metric": "count@macs", "evaluator": {"kind": "count"}, "budget": 0, "keep": confirmed, "strata": []},
        {"metric": MIOU, "evaluator": LAST, "budget": 1200, "strata": []},
    ]
    lower = [trial(number, 0.0, 2.0 + number / 4, 64, fidelity=COUNTED) for number in range(8)]
    counted = [replace(one, metrics=counts(one)) for one in lower]
    upper = [trial(number, 50.0 + number, 2.0 + number / 4, 64, fidelity=last) for number in range(8 - confirmed, 8)]
    seeds = [trial(one.trial, 51.0 + one.trial, 2.0 + one.trial / 4, 64, fidelity=last, seed=1) for one in upper[-2:]]
    space = {"name": "mobile", "base": "nano", "height": 128, "width": 128}
    return facts(folder, [*counted, *upper, *seeds], rungs=rungs, evaluator=LAST, space=space)


def test_a_ladder_says_who_went_on_and_ranks_the_last_rung_alone(tmp_path: Path) -> None:
    shown = climbed(tmp_path, confirmed=5)
    found = texts(cards, shown)
    assert "A study of 2 rungs: 8, then 5 designs; the last rung is ranked." in found["summary"]
    assert re.search(r"1\s+count@macs\s+count\s+8\s+the best 5\s+5\s", found["rungs"])
    assert re.search(r"1\.00 \[", found["rungs"])
    # The mean of two seeds.
    assert re.search(r"70,000,000\s+57\.5 \[[\d.]+, [\d.]+\] \(2 seeds\)", found["rungs"])
    assert {record.fidelity.budget for record in shown.ranked.records} == {1200}
    assert "count@macs" not in found["summary"]


def test_a_ladder_whose_last_rung_nobody_reached_says_so(tmp_path: Path) -> None:
    found = texts(cards, climbed(tmp_path, confirmed=0))
    assert "No design has come to the last rung yet." in found["rungs"]
    assert "8, then 0 designs" in found["summary"]


def test_few_designs_on_the_last_rung_have_no_tau(tmp_path: Path) -> None:
    assert "2 designs are too few" in texts(cards, climbed(tmp_path, confirmed=2))["rungs"]


@pytest.mark.parametrize(("designs", "is_all"), [(BARRED, True), (BARRED + 1, False)])
def test_of_a_large_front_only_the_chosen_design_has_intervals(designs: int, is_all: bool, tmp_path: Path) -> None:
    records = [trial(number, 10.0 + number, 2.0 + number / 20, 64) for number in range(designs)]
    found = texts(cards, facts(tmp_path, records))
    assert ("only the chosen design has them" in found["designs"]) != is_all
    script = (files("analysis.reports.pages.run") / "designs.js").read_text()
    assert f"const BARRED = {BARRED};" in script
