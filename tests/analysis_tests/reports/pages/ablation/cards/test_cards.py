"""The cards of the page of an ablation, each as what it says of tables whose answers are known."""

import re
from dataclasses import replace
from html import unescape

from analysis.records.record import Record, State
from analysis.reports.pages.ablation import cards
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.card import shown_cards
from analysis.results.ablation import AblationRow
from tests.analysis_tests.ablation_examples import ablation, exact
from tests.analysis_tests.examples import record
from tests.analysis_tests.reports.pages.run.runs import HOSTILE
from tests.analysis_tests.reports.pages.texts import texts


def runs() -> tuple[Record, ...]:
    """Three seeds of one network, and one that failed."""
    done = [
        replace(record(0, score), seed=seed, fingerprint="ours@128x128", seconds=60.0,
                metrics={"miou@world": replace(record(0).metrics["miou@tokenworld-128"], value=score)})
        for seed, score in enumerate((50.0, 52.0, 51.0))
    ]  # fmt: skip
    named = {"ablation": {"table": "table-6", "row": "a|b"}}
    broken = replace(record(3, 0.0), state=State.FAILED, reason="the loss is nan at iteration 12", details=named)
    return (*done, broken)


def test_every_card_speaks_of_a_whole_ablation() -> None:
    found = texts(cards, AblationFacts(name="runs/mine", tables=(ablation(),), records=runs(), has_files=True))
    assert list(found) == ["summary", "verdicts", "table-6", "left-out", "honesty", "made"]
    assert "3 runs complete, 1 failed. 3 of 3 rows of 1 table have an accuracy." in found["summary"]
    assert "Against what the paper says of its rows: 1 agree, 1 of which it says nothing." in found["summary"]
    assert re.search(r"Table 6\s+a\|b\s+-9\.83 \[-12\.\d\d, -7\.\d\d\]\s+0\.00\d\s+worse\s+agrees", found["verdicts"])
    assert "Its files:  md ,  tex" in found["table-6"]
    assert "the loss is nan at iteration ..." in found["left-out"]
    assert "table-6, a|b, seed 0" in found["left-out"]
    assert "Noise between seeds: standard deviation 1.20, typical of 1 designs" in found["honesty"]
    assert "topformer ablate TABLE ... --out runs/mine" in found["made"]


def test_costs_stand_beside_the_printed_ones_with_a_reason() -> None:
    (shown,) = [
        card for card in shown_cards(cards, AblationFacts(name="", tables=(ablation(),))) if card.id == "table-6"
    ]
    text = unescape(re.sub(r"<[^>]*>", " ", shown.html))
    assert re.search(r"a\|b\s+4\.971\s+4\.978 \[1\]", text)
    assert "[1] a|b, params (M): it does not follow" in text
    assert "<svg" in shown.html
    assert "<title>ours (baseline)" not in shown.html
    assert "<title>ours, seed 1: 52.00</title>" in shown.html


def test_an_ablation_that_has_not_begun_says_so() -> None:
    assert (
        "No run has ended yet. It goes on"
        in texts(cards, AblationFacts(name="a", tables=(), is_running=True))["summary"]
    )
    costs = texts(cards, AblationFacts(name="a", tables=(ablation(evaluation=None, rows=ablation().rows[3:]),)))
    assert "The tables hold costs and printed figures alone." in costs["summary"]
    assert {"verdicts", "honesty", "left-out"}.isdisjoint(costs)


def test_a_single_seed_has_no_interval_and_no_verdict() -> None:
    one = ablation()
    alone = tuple(
        replace(row, measured=replace(row.measured, difference=replace(row.measured.difference, error=None, low=None,
                                                                       high=None, p=None, p_holm=None)))
        if row.measured is not None and row.measured.difference is not None else row
        for row in one.rows
    )  # fmt: skip
    found = texts(cards, AblationFacts(name="a", tables=(replace(one, rows=alone),), records=runs()[:1]))
    assert re.search(r"a\|b\s+-9\.83\s+worse", found["verdicts"])
    assert "fewer than three seeds" in found["honesty"]


def test_labels_and_reasons_stay_text() -> None:
    rows = (AblationRow(label=HOSTILE, costs={"parameters": exact(1)}),)
    broken = replace(runs()[3], reason=HOSTILE, details={"ablation": {"table": HOSTILE, "row": HOSTILE}})
    facts = AblationFacts(
        name=HOSTILE, tables=(ablation(rows=rows, baseline="", evaluation=None, title=HOSTILE),), records=(broken,)
    )
    assert not any("<img" in card.html or "<b>" in card.html for card in shown_cards(cards, facts))
