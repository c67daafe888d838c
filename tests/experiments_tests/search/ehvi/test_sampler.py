"""The sampler in a study of Optuna: what it proposes, never proposes, and learns."""

from collections.abc import Callable, Mapping

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection

from experiments.search.definition import Limits
from experiments.search.ehvi.designs import Designs
from experiments.search.ehvi.sampler import STARTUP, EHVISampler
from search_space.latency.calibration.devices import device
from search_space.spaces.space import Space, space

DEVICE = "snapdragon-865"
LIMITS = Limits(latency_ms=2.2)


@pytest.fixture(scope="module")
def small() -> Space:
    only = {"heads": ["2", "6", "12"], "width": ["64", "128", "192", "256"], "head": "sum", "pooled": "all"}
    return space("paper", base="nano", height=128, width=128, only=only)


class Asked:
    """A study that is asked, and told what an accuracy says."""

    def __init__(
        self,
        small: Space,
        accuracy: Callable[[Mapping[str, str]], float],
        *,
        costs: tuple[str, ...] = ("latency_ms",),
        limits: Limits = LIMITS,
        seed: int = 0,
    ) -> None:
        self.space, self._accuracy, self._costs = small, accuracy, costs
        self.designs = Designs(small, limits, device(DEVICE))
        self.designs.add_listed()
        directions = [StudyDirection.MAXIMIZE, *(StudyDirection.MINIMIZE for _ in costs)]
        sampler = EHVISampler(self.designs, ("accuracy", *costs), seed=seed)
        self.study = optuna.create_study(directions=directions, sampler=sampler)

    def ask(self) -> tuple[optuna.Trial, dict[str, str]]:
        trial = self.study.ask()
        return trial, {axis.name: trial.suggest_categorical(axis.name, axis.labels) for axis in self.space.axes}

    def tell(self, trial: optuna.Trial, labels: Mapping[str, str]) -> None:
        place = self.designs.place(labels)
        row = dict(zip(self.designs.columns, self.designs.costs[place], strict=True))
        self.study.tell(trial, [self._accuracy(labels), *(row[name] for name in self._costs)])

    def run(self, evaluations: int) -> list[dict[str, str]]:
        found = []
        for _ in range(evaluations):
            trial, labels = self.ask()
            self.tell(trial, labels)
            found.append(labels)
        return found


def wider_is_better(labels: Mapping[str, str]) -> float:
    """Width and the number of injected scales decide, and nothing else."""
    return 10 + float(labels["width"]) / 64 + labels["injected"].count("+")


def known(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


@pytest.mark.parametrize("costs", [(), ("latency_ms",), ("latency_ms", "macs"), ("latency_ms", "macs", "parameters")])
def test_proposals_are_within_the_limits_and_never_repeated(small: Space, costs: tuple[str, ...]) -> None:
    found = Asked(small, wider_is_better, costs=costs).run(20)
    assert len({known(labels) for labels in found}) == 20
    table = device(DEVICE).estimate_many([small.candidate(labels) for labels in found])
    assert (table.probability_above(2.2) <= 0.95).all()


def test_one_seed_one_sequence(small: Space) -> None:
    first, again = (Asked(small, wider_is_better, seed=3).run(15) for _ in range(2))
    other = Asked(small, wider_is_better, seed=4).run(15)
    assert first == again != other


def test_workers_get_different_designs(small: Space) -> None:
    asked = Asked(small, wider_is_better)
    asked.run(STARTUP + 2)
    batch = [asked.ask() for _ in range(6)]
    assert len({known(labels) for _, labels in batch}) == 6
    for trial, labels in reversed(batch):
        asked.tell(trial, labels)
    after = asked.run(5)
    assert not {known(labels) for labels in after} & {known(labels) for _, labels in batch}


@pytest.mark.parametrize("state", [optuna.trial.TrialState.FAIL, optuna.trial.TrialState.PRUNED])
def test_failed_and_pruned_designs_are_not_proposed_again(small: Space, state: optuna.trial.TrialState) -> None:
    asked = Asked(small, wider_is_better)
    asked.run(STARTUP)
    trial, labels = asked.ask()
    asked.study.tell(trial, state=state)
    assert known(labels) not in {known(after) for after in asked.run(10)}


def test_what_is_enqueued_is_taken_and_learnt_from(small: Space) -> None:
    asked = Asked(small, wider_is_better)
    wanted = asked.designs.labels(len(asked.designs) // 2)
    asked.study.enqueue_trial(wanted)
    assert asked.run(1) == [wanted]
    assert known(wanted) not in {known(labels) for labels in asked.run(STARTUP + 3)}


def test_a_finished_design_beyond_the_limits_is_learnt_from(small: Space) -> None:
    """An anchor, or a trial of an earlier process, need not be among the designs that may be proposed."""
    asked = Asked(small, wider_is_better)
    dear = {axis.name: axis.labels[-1] for axis in small.axes} | {"injected": "4+8+16+32"}
    before = len(asked.designs)
    asked.study.enqueue_trial(dear)
    asked.run(STARTUP + 5)
    assert len(asked.designs) == before + 1
    assert not asked.designs.within[-1]


def test_a_history_counts_as_if_it_were_its_own(small: Space) -> None:
    """After 30 told designs the next one is chosen by the model: near the best, not spread."""
    asked = Asked(small, wider_is_better)
    random = np.random.default_rng(0)
    for place in random.choice(len(asked.designs), 30, replace=False):
        trial = optuna.trial.create_trial(
            params=asked.designs.labels(place),
            distributions={axis.name: optuna.distributions.CategoricalDistribution(axis.labels) for axis in small.axes},
            values=[wider_is_better(asked.designs.labels(place)), asked.designs.costs[place][-1]],
        )
        asked.study.add_trial(trial)
    volumes = [wider_is_better(labels) for labels in asked.run(8)]
    everything = [wider_is_better(asked.designs.labels(place)) for place in range(len(asked.designs))]
    assert max(volumes) == max(everything)


def test_the_best_of_a_single_objective_is_found_among_hundreds(small: Space) -> None:
    asked = Asked(small, wider_is_better, costs=())
    found = [wider_is_better(labels) for labels in asked.run(25)]
    everything = [wider_is_better(asked.designs.labels(place)) for place in range(len(asked.designs))]
    assert len(everything) > 300
    assert max(found) == max(everything)


def test_where_no_design_is_left_any_label_is_drawn(small: Space) -> None:
    tiny = small.restricted({"depth": "1", "heads": "2", "injected": "32", "pool_stride": "s32"})
    asked = Asked(tiny, wider_is_better, limits=Limits())
    everything = len(asked.designs)
    found = asked.run(everything + 1)
    assert len({known(labels) for labels in found[:-1]}) == everything
    assert found[-1] in found[:-1]


def test_equal_accuracies_are_no_obstacle(small: Space) -> None:
    found = Asked(small, lambda labels: 30.0).run(STARTUP + 8)
    assert len({known(labels) for labels in found}) == STARTUP + 8
