"""Pieces of cards."""

import pytest

from analysis.reports.pages.card import amount, bar, in_words, items, pairs, paragraphs, span, table
from analysis.results.pareto import Objective


def test_text_is_text_wherever_it_stands() -> None:
    pieces = [paragraphs(["<b>"]), items(["<b>"]), table(["<b>", "<b>"], [["<b>", "<b>"]], "<b>")]
    assert not any("<b>" in piece for piece in pieces)
    assert "<td><svg" in table(["a", "b"], [["x", bar(0.5)]], "c")
    assert "<svg" not in table(["a", "b"], [["x", "<svg onload=alert(1)>"]], "c")


def test_metrics_are_said_in_words() -> None:
    assert in_words(Objective("miou@ade20k", "max")) == "mIoU on ade20k"
    assert in_words(Objective("latency_ms@pixel", "min")) == "latency on pixel"
    assert in_words(Objective("depth", "min")) == "depth"
    assert amount(Objective("parameters", "min"), 5_062_646) == "5.063 M"
    assert amount(Objective("miou@x", "max"), 79.21) == "79.21 %"


@pytest.mark.parametrize(("share", "width"), [(-1.0, "0.0"), (0.25, "25.0"), (7.0, "100.0")])
def test_a_bar_stays_in_its_track(share: float, width: str) -> None:
    assert f'<rect width="{width}" height="12" class="full"/>' in bar(share)


def test_an_interval_is_drawn_where_there_is_one() -> None:
    assert 'cx="148.0"' in span(5.0, None, None, 10.0)
    assert 'x1="100.0" x2="196.0" y1="7"' in span(5.0, 0.0, 10.0, 10.0)


def test_columns_of_numbers_are_set_flush_right() -> None:
    found = table(["name", "ms", "what"], [["a", "+1.5 [1, 2]", "3 rows"], ["b", "", "more"]], "c")
    assert found.count('class="n"') == 3
    assert '<th scope="col" class="n">ms</th>' in found
    labels = table(["table", "row"], [["7", "192"], ["5", "a gate"], ["5", "a sum"], ["6", "a head"]], "c")
    assert 'class="n"' not in labels


def test_pairs_leave_out_what_is_not_known() -> None:
    found = pairs([("device", "pixel"), ("clock", "")], "How")
    assert "pixel" in found
    assert "clock" not in found
