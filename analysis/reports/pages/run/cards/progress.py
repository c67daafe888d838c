"""How the front grew."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np

from analysis.records.record import Record
from analysis.reports.pages.card import Card, amount, in_words, paragraphs
from analysis.reports.pages.run.facts import Facts
from analysis.results.pareto import hypervolume, non_dominated

PLACE = 70
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 460, 200, 54, 40


def compute(facts: Facts) -> Card | None:
    """The hypervolume of the front after each evaluated design, over trials and over the time spent."""
    records = facts.ranked.records
    if len(records) < 2 or facts.price is facts.worth:
        return None
    order = sorted(range(len(records)), key=lambda place: _when(records[place]))
    ordered = [records[place] for place in order]
    corner = _corner(facts)
    volumes = _volumes(facts, ordered, corner)
    share = [volume / volumes[-1] if volumes[-1] else 0.0 for volume in volumes]
    hours = np.cumsum([record.seconds / 3600 for record in ordered]).tolist()
    unit, spent = ("hours", hours) if hours[-1] >= 2 else ("minutes", [60 * hour for hour in hours])
    last = max((place for place, (one, two) in enumerate(pairwise(volumes)) if two > one), default=0) + 2
    ends = f"{amount(facts.worth, corner[0])} and {amount(facts.price, corner[1])}"
    said = [
        f"The last design to join the front was number {last} of {len(ordered)} evaluated.",
        f"What the front covers (its hypervolume in {in_words(facts.worth)} and {in_words(facts.price)}, against "
        f"{ends}), as a share of what it covers now. A curve that still climbs says that more trials pay.",
    ]
    curves = "".join(
        [
            _curve(list(range(1, len(share) + 1)), share, "evaluated designs"),
            _curve(spent, share, f"{unit} of evaluation"),
        ]
    )
    return Card(id="progress", title="How the front grew", html=f'<div class="pair">{curves}</div>{paragraphs(said)}')


def _when(record: Record) -> tuple[str, int]:
    try:
        return datetime.fromisoformat(record.finished).isoformat(), record.trial
    except ValueError:
        return "", record.trial


def _corner(facts: Facts) -> tuple[float, float]:
    """0 for what is maximised; for what is minimised the limit, or the largest evaluated number."""
    records = facts.ranked.records
    worst = max(facts.value(record, facts.price) for record in records)
    price = worst if facts.limit is None else max(facts.limit, worst)
    if facts.worth.direction == "max":
        return 0.0, price
    return max(facts.value(record, facts.worth) for record in records), price


def _volumes(facts: Facts, records: Sequence[Record], corner: tuple[float, float]) -> list[float]:
    goals = (facts.worth, facts.price)
    signs = np.array([goal.sign for goal in goals])
    # A little beyond the corner, so that the worst design itself covers something.
    reference = np.array(corner) * signs
    reference = reference + 1e-9 * np.abs(reference)
    points, volumes, volume = np.empty((0, 2)), [], 0.0
    for record in records:
        point = np.array([[facts.value(record, goal) for goal in goals]]) * signs
        if not (points <= point).all(axis=1).any():
            points = np.concatenate([points, point])
            points = points[non_dominated(points)]
            volume = hypervolume(points, reference)
        volumes.append(volume)
    return volumes


def _curve(xs: Sequence[float], shares: Sequence[float], label: str) -> str:
    """Steps from 0 to 1 with an axis in words."""
    most = xs[-1] or 1.0
    steps = " ".join(_steps(xs, shares, most))
    ticks = "".join(
        f'<text x="{_LEFT - 6}" y="{_y(share) + 4:.0f}" text-anchor="end">{share:.0%}</text>'
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>'
        for share in (0.0, 0.5, 1.0)
    )
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Share of the hypervolume over '
        f'{label}">{ticks}<path d="{steps}"/><text x="{_LEFT}" y="{_HEIGHT - 22}">0</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 22}" text-anchor="end">{most:,.4g}</text>'
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 4}" text-anchor="middle">{label}</text></svg>'
    )


def _steps(xs: Sequence[float], shares: Sequence[float], most: float) -> Iterator[str]:
    yield f"M{_LEFT} {_y(0.0):.1f}"
    before = 0.0
    for place, (x, share) in enumerate(zip(xs, shares, strict=True)):
        # A step only where something changes: a curve of ten thousand trials has some dozens.
        if share != before or place == len(shares) - 1:
            yield f"H{_LEFT + (_WIDTH - _LEFT) * x / most:.1f}V{_y(share):.1f}"
            before = share


def _y(share: float) -> float:
    return 8 + (_HEIGHT - _BOTTOM - 12) * (1 - share)
