"""Designs drawn at random, with the labels of some axes taking turns: a sample that is balanced however far it goes."""

from collections import Counter
from collections.abc import Sequence

from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import SpaceError

_POOL = 5000
"""Designs that are drawn, the same for every `n` up to a twentieth of them: a longer list begins as a shorter one."""


def stratified(space: Space, axes: Sequence[str], n: int, seed: int) -> list[Candidate]:
    """`n` distinct candidates, the space's base first where it holds it, every beginning of them balanced.

    Each next one is drawn at random from the strata (the labels of `axes` together) that have the fewest so far, and
    among these from those whose single labels have the fewest.

    Args:
        space: The designs.
        axes: Names of the axes that make the strata.
        n: Number of designs.
        seed: Of the draws.

    Raises:
        SpaceError: There is no such axis, or the space does not hold so many designs.
    """
    total = space.count()
    if not 1 <= n <= total:
        raise SpaceError(f"n must lie between 1 and the {total:,} designs of space {space.name!r}, got {n!r}")
    chosen = [space.axis(name) for name in axes]
    first = [space.base] if space.base in space else []
    pool = [*first, *(one for one in space.sample(seed, min(total, max(_POOL, 20 * n))) if one != space.base)]
    strata = [tuple(axis.label_of(one) if axis.applies(one) else None for axis in chosen) for one in pool]
    joint, single = Counter[tuple[str | None, ...]](), Counter[tuple[int, str | None]]()
    left, drawn = dict.fromkeys(range(len(pool))), list[Candidate]()
    while len(drawn) < n:
        # The first of the random order where several are equally rare; the base before all.
        best = min(left, key=lambda i: (joint[strata[i]], sum(single[part] for part in enumerate(strata[i]))))
        del left[best]
        drawn.append(pool[best])
        joint[strata[best]] += 1
        single.update(enumerate(strata[best]))
    return drawn
