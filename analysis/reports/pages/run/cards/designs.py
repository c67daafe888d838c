"""The designs: the plot, its filters, the table beside it, and the details of the chosen one."""

from analysis.reports.pages.card import Card, amount, in_words, table
from analysis.reports.pages.run.facts import Facts

PLACE = 20
_KEYS = "Arrow keys go along the front, Enter opens the details."
BARRED = 30
"""Designs of a front that all have their intervals; of a larger one only the chosen design has, see `designs.js`."""
_BARS = "bars are 95 % intervals"
_TWO_BARS = "thin bars are whole 95 % intervals, thick ones the part of them that designs do not share"


def compute(facts: Facts) -> Card | None:
    """Places that the script of the page fills; without a script the front as a table."""
    if not facts.run.records:
        return None
    title = f"{_first_upper(in_words(facts.worth))} against {in_words(facts.price)}"
    return Card(
        id="designs", title=title, html=_HTML.format(front=_front(facts), keys=_KEYS, bars=_bars(facts)), is_wide=True
    )


def _bars(facts: Facts) -> str:
    whose = "" if len(facts.members) <= BARRED else "; of so large a front only the chosen design has them"
    metrics = [record.metrics[goal.name] for record in facts.members for goal in facts.ranked.objectives]
    return (_TWO_BARS if any(metric.own_sd is not None for metric in metrics) else _BARS) + whose


def _first_upper(text: str) -> str:
    # "mIoU" is a name.
    return text if text.startswith("m") else text[:1].upper() + text[1:]


def _front(facts: Facts) -> str:
    goals = list(dict.fromkeys((facts.worth, facts.price)))
    rows = [
        [
            facts.ids[record.fingerprint],
            *(amount(goal, facts.value(record, goal)) for goal in goals),
            facts.words[record.fingerprint],
        ]
        for record in facts.members
    ]
    return table(["design", *map(in_words, goals), "what it is"], rows, "The front")


_HTML = """
<noscript>{front}</noscript>
<form id="filters" aria-label="Filters"></form>
<div class="split">
<div><div id="plot" tabindex="0" role="application" aria-label="Plot of the designs. {keys}"></div>
<p class="hint">A point is a design; {bars}. {keys}</p></div>
<section id="details" aria-live="polite" aria-label="The chosen design"></section>
</div>
<div id="drawing" class="scroll" tabindex="0" role="region" aria-label="Drawing of the chosen design"></div>
<div id="more"></div>
<h3>All designs</h3>
<p id="count" class="hint" role="status"></p>
<div id="table" class="scroll" tabindex="0" role="region" aria-label="Table of the designs"></div>
"""
