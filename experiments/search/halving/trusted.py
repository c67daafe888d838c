"""What the sampler of a ladder learns of a design: the number of the highest rung that it has reached."""

from collections.abc import Mapping, Sequence

import numpy as np

LEAST = 3
"""Designs that a rung needs before its scale is the one that the sampler learns on."""


def trusted(levels: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """One number for each design, on one scale.

    The rule: the scale is that of the highest rung that three designs have reached, and a design has the number of the
    highest rung up to there that it has reached. Numbers of a lower rung are moved onto that scale by the straight
    line, rising or flat, that fits the designs which have both. So a score that misled counts no longer for the
    designs that went on, and less for the others.

    Args:
        levels: Of each rung, lowest first, the designs and their numbers; more is better.
    """
    top = max((number for number, level in enumerate(levels) if len(level) >= LEAST), default=0)
    known = dict(levels[top])
    for level in reversed(levels[:top]):
        shared = [design for design in level if design in known]
        x, y = np.array([level[one] for one in shared]), np.array([known[one] for one in shared])
        slope = _slope(x, y) if shared else 1.0
        shift = float(y.mean() - slope * x.mean()) if shared else 0.0
        known.update({one: shift + slope * value for one, value in level.items() if one not in known})
    return known


def _slope(x: np.ndarray[tuple[int], np.dtype[np.float64]], y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """That of least squares; 0 where more is not better."""
    spread = float(((x - x.mean()) ** 2).sum())
    return max(0.0, float(((x - x.mean()) * (y - y.mean())).sum()) / spread) if spread else 0.0
