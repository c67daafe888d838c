"""How much of the exact Pareto front the samplers find: share of its hypervolume, mean over seeds.

    python -m benchmarks.sampler_quality --evaluations 60 --seeds 10 [--accuracy smooth] [--json]

The space `paper` around Tiny at 512 x 512 on a Snapdragon 865, at most 40 ms: all 106,272 designs have an exact cost
and a made-up accuracy (benchmarks/synthetic_accuracy.py), so the exact front is known. Every evaluation adds the noise
of a seed; the share is that of the evaluated designs' accuracies without noise, between the worst accuracy within the
limit and the front. Designs beyond the limit cost a proposal and no evaluation, as in a sweep. All samplers begin with
Tiny; a repeated design costs no evaluation.

`tpe-told` is the sampler `tpe` when it is told of the designs that were pruned by cost, with the limit as a constraint;
`optuna-tpe` is Optuna's TPESampler with the settings that it has by itself, told the same.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from itertools import count
from random import Random
from types import MappingProxyType

import numpy as np
import optuna
from numpy.typing import NDArray

from analysis.records.record import State
from analysis.results.pareto import hypervolume
from benchmarks.synthetic_accuracy import ACCURACIES, NOISE
from experiments.search.definition import ACCURACY, LATENCY, Limits, StudyDefinition
from experiments.search.ehvi.designs import Designs
from experiments.search.searcher import Observation, OptunaChooser, Searcher
from search_space.latency.calibration.devices import device
from search_space.spaces.enumeration import Enumeration, enumerated
from search_space.spaces.space import space

# N designs.

Floats = NDArray[np.float64]

DEFAULT = next(str(item.default) for item in fields(StudyDefinition) if item.name == "sampler")
DEVICE = "snapdragon-865"
LIMITS = Limits(latency_ms=40)
SHOWN = (20, 60, 120)
"""Evaluations after which the table shows a share, beside the last."""
_REPEATS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal.

    Attributes:
        state: Complete, or pruned by cost.
        values: Accuracy and latency of a complete one, else empty.
        excess: By how much P(latency > limit) is too large.
    """

    state: State
    values: tuple[float, ...]
    excess: float


@dataclass(frozen=True, eq=False)
class World:
    """All designs with what is true of them.

    Attributes:
        listed: The designs, their costs and latencies.
        accuracies: (N,), without noise.
        excess: (N,), by how much P(latency > limit) is too large; 0 or less is within.
    """

    listed: Enumeration
    accuracies: Floats
    excess: Floats

    def index(self, labels: Mapping[str, str]) -> int:
        """The number of a design; several sets of labels may describe it."""
        row = self._row(labels)
        if row not in self._indices:
            chosen = self.listed.space
            row = self._row(chosen.labels_of(chosen.candidate(labels)) or {})
        return self._indices[row]

    def share(self, evaluated: Sequence[int]) -> float:
        """Share of the exact front's hypervolume."""
        within = np.flatnonzero(self.excess <= 0)
        return self._volume(np.asarray(evaluated)) / self._volume(within)

    def outcome(self, index: int, noise: np.random.Generator) -> Outcome:
        """Of an evaluation, or of costs that decide against it."""
        excess = float(self.excess[index])
        if excess > 0:
            return Outcome(State.PRUNED, (), excess)
        accuracy = float(self.accuracies[index] + noise.normal(0, NOISE))
        return Outcome(State.COMPLETE, (accuracy, float(self.listed.latency.milliseconds[index])), excess)

    def base(self) -> dict[str, str]:
        """The labels of Tiny."""
        labels = self.listed.space.labels_of(self.listed.space.base)
        assert labels is not None
        return labels

    def _volume(self, designs: NDArray[np.intp]) -> float:
        within = self.excess <= 0
        times = self.listed.latency.milliseconds
        corner = [-self.accuracies[within].min(), times[within].max()]
        return hypervolume(np.stack([-self.accuracies[designs], times[designs]], axis=1), corner)

    def _row(self, labels: Mapping[str, str]) -> bytes:
        axes = self.listed.space.axes
        places = [axis.labels.index(labels[axis.name]) if axis.name in labels else -1 for axis in axes]
        return np.array(places, dtype=np.int16).tobytes()

    @cached_property
    def _indices(self) -> dict[bytes, int]:
        return {row.tobytes(): index for index, row in enumerate(self.listed.choices)}


Answer = Callable[[Outcome, bool], None]
"""Told the outcome of a proposal, and whether it is that of an earlier proposal of the same design."""
Ask = Callable[[Mapping[str, str] | None], tuple[Mapping[str, str], Answer]]
"""Gives the labels that a sampler proposes, or the given ones."""


def world(accuracy: str) -> World:
    """The designs with one of the `ACCURACIES`."""
    listed = enumerated(space("paper"), device(DEVICE))
    assert LIMITS.latency_ms is not None
    excess = listed.latency.probability_above(LIMITS.latency_ms) - (1 - LIMITS.alpha)
    return World(listed, ACCURACIES[accuracy](listed), excess)


def evaluated(found: World, ask: Ask, evaluations: int, seed: int) -> list[int]:
    """The designs that a sampler has evaluated, in order."""
    noise, random = np.random.default_rng(seed), Random(seed)
    outcomes: dict[int, Outcome] = {}
    repeats = 0
    wanted: Mapping[str, str] | None = found.base()
    while sum(outcome.state is State.COMPLETE for outcome in outcomes.values()) < evaluations:
        labels, answer = ask(wanted)
        index, wanted = found.index(labels), None
        is_repeat = index in outcomes
        if not is_repeat:
            outcomes[index] = found.outcome(index, noise)
        answer(outcomes[index], is_repeat)
        repeats = repeats + 1 if is_repeat else 0
        # As a sweep does, a design is drawn where a sampler repeats itself.
        if repeats >= _REPEATS:
            wanted, repeats = found.listed.labels(random.randrange(len(found.listed))), 0
    return [index for index, outcome in outcomes.items() if outcome.state is State.COMPLETE]


def product(name: str, found: World, seed: int, evaluations: int) -> Ask:
    """A sampler of the product."""
    chosen = found.listed.space
    searcher = Searcher(
        name,
        directions=("max", "min"),
        choices={axis.name: axis.labels for axis in chosen.axes},
        seed=seed,
        trials=evaluations,
        designs=partial(_designs, found, seed),
        objectives=(ACCURACY, LATENCY),
    )
    numbers = count()

    def ask(labels: Mapping[str, str] | None) -> tuple[Mapping[str, str], Answer]:
        proposal = searcher.ask(chosen, labels)

        def answer(outcome: Outcome, is_repeat: bool) -> None:
            if is_repeat or outcome.state is State.PRUNED:
                searcher.forget(proposal)
                return
            number, labels = next(numbers), proposal.labels
            searcher.tell(
                proposal, Observation(trial=number, state=outcome.state, labels=labels, values=outcome.values)
            )

        return proposal.labels, answer

    return ask


def _designs(found: World, seed: int) -> Designs:
    designs = Designs(found.listed.space, LIMITS, device(DEVICE))
    designs.add_listed(seed=seed)
    return designs


def plain(sampler: optuna.samplers.BaseSampler, found: World) -> Ask:
    """A sampler in a study of Optuna, without anything of the product between them."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    states = {State.COMPLETE: optuna.trial.TrialState.COMPLETE, State.PRUNED: optuna.trial.TrialState.PRUNED}

    def ask(labels: Mapping[str, str] | None) -> tuple[Mapping[str, str], Answer]:
        if labels is not None:
            study.enqueue_trial(dict(labels))
        trial = study.ask()
        chooser = OptunaChooser(trial)
        found.listed.space.suggest(chooser)

        def answer(outcome: Outcome, _is_repeat: bool) -> None:
            trial.set_constraint(LATENCY, outcome.excess)
            study.tell(trial, list(outcome.values) or None, states[outcome.state])

        return chooser.labels, answer

    return ask


def told_tpe(found: World, seed: int) -> Ask:
    """The product's TPE, told of what was pruned."""
    return plain(optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed), found)


SAMPLERS: Mapping[str, Callable[[World, int, int], Ask]] = MappingProxyType(
    {
        **{name: partial(product, name) for name in ("random", "nsga2", "tpe", "ehvi")},
        "tpe-told": lambda found, seed, _: told_tpe(found, seed),
        "optuna-tpe": lambda found, seed, _: plain(optuna.samplers.TPESampler(seed=seed), found),
    }
)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the shares, as a table or as JSON."""
    options = _options(argv)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    found = world(options.accuracy)
    shown = sorted({number for number in SHOWN if number < options.evaluations} | {options.evaluations})
    if not options.json:
        print(f"accuracy {options.accuracy}, {options.seeds} seeds; share of the exact front's hypervolume after")
        print(f"{'evaluations':<12}" + "".join(f"{number:>8}" for number in shown))
    last = {}
    for name in options.samplers:
        runs = [
            evaluated(found, SAMPLERS[name](found, seed, options.evaluations), options.evaluations, seed)
            for seed in range(options.seeds)
        ]
        shares = [np.mean([found.share(run[:number]) for run in runs]) for number in shown]
        last[name] = round(float(shares[-1]), 4)
        if not options.json:
            print(f"{name:<12}" + "".join(f"{share:>8.3f}" for share in shares), flush=True)
    if options.json:
        print(json.dumps({"default": DEFAULT, "samplers": last}))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=60, help="evaluated designs per run")
    parser.add_argument("--seeds", type=int, default=10, help="runs per sampler")
    parser.add_argument("--accuracy", choices=list(ACCURACIES), default="smooth", help="which made-up accuracy")
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(SAMPLERS))
    parser.add_argument("--json", action="store_true", help="the shares after the last evaluation, as JSON")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
