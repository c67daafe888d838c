"""Designs drawn at random, with the labels of some axes taking turns: a sample that is balanced however far it goes."""

from collections import Counter
from collections.abc import Sequence

from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.errors import SpaceError

_POOL = 5000
"""Designs that are drawn, the same for every `n` up to a twentieth of them: a longer list begins as a shorter one."""


def stratified(space: Space, axes: Sequence[str], n: int, seed: int) -> list[Candidate]:
    """`n` distinct candidates, the space's base first, in an order of which every beginning is balanced.

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
    for name in axes:
        space.axis(name)
    total = space.count()
    if not 1 <= n <= total:
        raise SpaceError(f"n must lie between 1 and the {total:,} designs of space {space.name!r}, got {n!r}")
    pool = [one for one in space.sample(seed, min(total, max(_POOL, 20 * n))) if one != space.base]
    strata = [tuple((space.labels_of(one) or {}).get(name, "") for name in axes) for one in [space.base, *pool]]
    drawn, joint, single = [0], Counter(strata[:1]), Counter(enumerate(strata[0]))
    left = list(range(1, len(strata)))
    while len(drawn) < n:
        # The first of the random order where several are equally rare.
        chosen = min(left, key=lambda i: (joint[strata[i]], sum(single[part] for part in enumerate(strata[i]))))
        left.remove(chosen)
        drawn.append(chosen)
        joint[strata[chosen]] += 1
        single.update(enumerate(strata[chosen]))
    candidates = [space.base, *pool]
    return [candidates[i] for i in drawn]
