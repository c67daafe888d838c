"""Searches replayed: the loop and the samplers of a sweep, with recorded trainings in the place of trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np
from numpy.typing import NDArray

from analysis.records.record import Record
from experiments.engines.engine import Interruption
from experiments.implementations import canonical
from experiments.ladder.pool import Pool
from experiments.ladder.recorded import Memory, RecordedEngine, fidelity
from experiments.ladder.replay_sources import ClimbReplay, SearchReplay
from experiments.search.definition import ACCURACY
from experiments.search.samplers import SAMPLERS
from experiments.search.searcher import Searcher
from experiments.trials.callback import NullCallback
from experiments.trials.loop import Loop
from topformer.errors import StudyError

# K trainings' worth of iterations.

HALVING, LADDER = "halving", "ladder"
"""Names beside those of samplers: random designs trained to half, the better half of them to the end; and all designs
scored by a supernet, the best of them trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One replayed search.

    Attributes:
        shares: (K,), share of the pool's hypervolume after 1, 2, ... full trainings' worth of iterations.
        seconds: (K,), processor seconds of training by then.
    """

    shares: NDArray[np.float64]
    seconds: NDArray[np.float64]


def replayed(name: str, pool: Pool, *, trials: int, seed: int) -> Trace:
    """One search on recorded trainings.

    A sampler proposes in the whole space; the design of the pool that is nearest to the proposal and not yet taken is
    evaluated, and the sampler is told of that design. Every evaluation gives the number of one recorded seed, drawn at
    random; the shares are those of the means.

    Args:
        name: A sampler, `HALVING` or `LADDER`.
        pool: What is recorded.
        trials: Full trainings that the search may spend.
        seed: Of the search.

    Raises:
        InputError: There is no such sampler.
        StudyError: Fewer designs are recorded than trials are asked for, no curve for the halving, or no scores for the
            ladder.
    """
    if trials > len(pool):
        raise StudyError(f"trials must be at most the {len(pool)} recorded designs, got {trials}")
    memory = Memory()
    climbs = {HALVING: _halving, LADDER: _ladder}
    source = climbs[name](pool, trials, seed) if name in climbs else _sampled(name, pool, trials, seed)
    with Interruption() as interruption, RecordedEngine(pool) as engine:
        Loop(source, memory, NullCallback()).run(engine, interruption)
    return _trace(pool, memory.records, trials)


def check_names(names: Sequence[str]) -> None:
    """Every name is a sampler, `HALVING` or `LADDER`, and there is one.

    Raises:
        InputError: One is none; the message offers the nearest. Or there is none.
    """
    if not names:
        raise StudyError("a replay needs the name of at least one sampler, got none")
    known = {**SAMPLERS, **dict.fromkeys((HALVING, LADDER), SAMPLERS["random"])}
    for name in names:
        canonical("sampler", name, known)


def _sampled(name: str, pool: Pool, trials: int, seed: int) -> SearchReplay:
    searcher = Searcher(
        name,
        directions=("max", "min"),
        choices={axis.name: axis.labels for axis in pool.space.axes},
        seed=seed,
        trials=trials,
        designs=pool.designs,
        objectives=(ACCURACY, pool.cost),
    )
    return SearchReplay(pool, searcher, trials, Random(seed))  # noqa: S311 - designs are drawn, not secrets


def _halving(pool: Pool, trials: int, seed: int) -> ClimbReplay:
    early = pool.early
    if early is None:
        raise StudyError("a replay of halving needs learning curves that reach half of the schedule, got none")
    # Of n designs half go on: n/2 pay the whole, n/2 the early part.
    paid = (1 + early.iterations / early.schedule) / 2
    designs = min(len(pool), round(trials / paid))
    return ClimbReplay(pool, early, (designs, (designs + 1) // 2), Random(seed))  # noqa: S311 - as above


def _ladder(pool: Pool, trials: int, seed: int) -> ClimbReplay:
    if pool.scored is None:
        raise StudyError("a replay of the ladder needs the score of a supernet for every design, got none")
    return ClimbReplay(pool, pool.scored, (len(pool), trials), Random(seed))  # noqa: S311 - as above


def _trace(pool: Pool, records: Sequence[Record], trials: int) -> Trace:
    """Shares and seconds over the iterations that were spent: who goes on pays for the rest alone.

    What is scored before anything is trained costs seconds, and no iterations.
    """
    whole, scored = pool.table.truth.iterations, pool.scored and fidelity(pool.scored)
    places = {fingerprint: place for place, fingerprint in enumerate(pool.fingerprints)}
    spent = seconds = 0.0
    done: list[int] = []
    paid: dict[str, float] = {}
    shares, times = np.zeros(trials), np.zeros(trials)
    for record in records:
        # Where nothing is trained, every evaluation is a whole one.
        part = record.budget / whole if whole else 1.0
        place = places[record.fingerprint]
        if whole and record.fidelity == scored:
            seconds += pool.scored_seconds[place]
            continue
        fresh = part - paid.get(record.fingerprint, 0.0)
        paid[record.fingerprint] = part
        spent, seconds = spent + fresh, seconds + fresh * pool.seconds[place]
        if record.budget == whole:
            done.append(place)
        reached = min(trials, int(spent + 1e-9))
        if reached:
            shares[reached - 1 :], times[reached - 1 :] = pool.share(done), seconds
    return Trace(shares=shares, seconds=times)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerReplay:
    """All replays of one sampler.

    Attributes:
        name: The sampler.
        low: 5 % quantile over seeds of the share, by trainings' worth; (K,) as the next two.
        median: Median.
        high: 95 % quantile.
        seconds: Median of the processor seconds.
        needed: Median number of trainings' worth after which a replay has what random search ends with in the median;
            None where more than half of them never have.
        needed_seconds: The same in processor seconds.
    """

    name: str
    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]
    seconds: tuple[float, ...]
    needed: float | None
    needed_seconds: float | None


def replay(pool: Pool, names: Sequence[str], *, trials: int, seeds: int) -> tuple[SamplerReplay, ...]:
    """Every sampler with every seed; random search is the yardstick, and is replayed whether it is named or not.

    Args:
        pool: What is recorded.
        names: Samplers, or `HALVING`.
        trials: Full trainings that each may spend.
        seeds: Replays of each.

    Raises:
        InputError: As `replayed`.
    """
    check_names(names)
    traces = {name: [replayed(name, pool, trials=trials, seed=seed) for seed in range(seeds)] for name in
              dict.fromkeys(["random", *names])}  # fmt: skip
    goal = float(np.median([trace.shares[-1] for trace in traces["random"]]))
    return tuple(map(partial(_summary, traces, goal), dict.fromkeys(names)))


def _summary(traces: Mapping[str, Sequence[Trace]], goal: float, name: str) -> SamplerReplay:
    shares = np.stack([trace.shares for trace in traces[name]])
    low, median, high = np.quantile(shares, [0.05, 0.5, 0.95], axis=0).tolist()
    reached = [np.flatnonzero(row >= goal - 1e-12) for row in shares]
    firsts = [int(found[0]) if len(found) else None for found in reached]
    seconds = np.stack([trace.seconds for trace in traces[name]])
    return SamplerReplay(
        name=name,
        low=tuple(low),
        median=tuple(median),
        high=tuple(high),
        seconds=tuple(np.median(seconds, axis=0).tolist()),
        needed=_middle([None if k is None else k + 1 for k in firsts]),
        needed_seconds=_middle([None if k is None else float(row[k]) for k, row in zip(firsts, seconds, strict=True)]),
    )


def _middle(counts: Sequence[float | None]) -> float | None:
    """The median, None standing for never; of an even number the lower of the two in the middle, which half have."""
    found = sorted(np.inf if one is None else float(one) for one in counts)[(len(counts) - 1) // 2]
    return found if np.isfinite(found) else None
