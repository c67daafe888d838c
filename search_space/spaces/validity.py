"""Rules that reject a candidate before anything is spent on it, each with its reason."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from search_space.candidate import Candidate
from topformer.errors import SpaceError


def everything(candidate: Candidate) -> Hashable:
    """What a rule reads that may look at any part of a candidate."""
    return candidate


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that every candidate of a space fulfils.

    Attributes:
        name: Names the rule in messages and in the description of a space.
        reason: Why a candidate is rejected, or None where it is not.
        reads: The facts that decide; the fewer, the faster a space with the rule is counted. A rule that reads
            everything makes counting as slow as listing.
    """

    name: str
    reason: Callable[[Candidate], str | None]
    reads: Callable[[Candidate], Hashable] = everything


def broken_rules(candidate: Candidate, rules: Iterable[Rule]) -> tuple[str, ...]:
    """Why the rules reject a candidate; empty where none does."""
    reasons = ((rule.name, rule.reason(candidate)) for rule in rules)
    return tuple(f"{name}: {reason}" for name, reason in reasons if reason is not None)


def check_valid(candidate: Candidate, rules: Iterable[Rule]) -> Candidate:
    """The candidate itself.

    Raises:
        SpaceError: A rule rejects it; the message gives every reason.
    """
    if broken := broken_rules(candidate, rules):
        raise SpaceError("; ".join(broken))
    return candidate


def _too_coarse(candidate: Candidate) -> str | None:
    stride, side = candidate.design.pool_stride, max(candidate.height, candidate.width)
    if stride < 2 * side:
        return None
    return f"pool_stride {stride} on {candidate.height}x{candidate.width} leaves one token, as {stride // 2} does"


POOLED_GRID = Rule(name="pooled grid", reason=_too_coarse, reads=lambda candidate: _too_coarse(candidate) is None)
"""A pooling stride that half of it could not be told from: both leave a single token."""
