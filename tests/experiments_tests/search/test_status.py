"""What records add up to, however they come."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from analysis.records.record import Metric, Record
from analysis.results.pareto import Objective, hypervolume, non_dominated
from experiments.search.status import Results
from tests.experiments_tests.trials.conformance import complete
from tests.experiments_tests.trials.test_loop import trial

OBJECTIVES = (Objective("miou@scripted", "max"), Objective("latency_ms@phone", "min"))
CORNER = {"latency_ms": 10.0}


def record(number: int, accuracy: float, latency: float, seed: int = 0) -> Record:
    made = complete(trial(number, seed=seed), accuracy)
    return replace(made, metrics={**made.metrics, "latency_ms@phone": Metric(value=latency, source="predicted")})


def drawn(random: Random, count: int) -> list[Record]:
    """Few values, so that many are equal; one in four is a further seed of an earlier design."""
    found: list[Record] = []
    for number in range(count):
        values = (float(random.randrange(8)), float(random.randrange(1, 9)))
        again = bool(found) and random.random() < 0.25
        found.append(record(random.choice(found).trial if again else number, *values, seed=number))
    return found


def expected(records: list[Record]) -> tuple[list[str], float]:
    """Front and hypervolume of all records at once."""
    designs: dict[str, list[tuple[float, float]]] = {}
    for one in records:
        value = (-one.metrics["miou@scripted"].value, one.metrics["latency_ms@phone"].value)
        designs.setdefault(one.fingerprint, []).append(value)
    names, points = list(designs), np.array([np.mean(group, axis=0) for group in designs.values()])
    members = sorted(np.flatnonzero(non_dominated(points)), key=lambda i: points[i, 0])
    return [names[i] for i in members], hypervolume(points, [0.0, 10.0])


def test_records_that_come_one_by_one_have_the_front_of_all_at_once() -> None:
    for seed in range(5):
        records = drawn(Random(seed), 40)
        results = Results(OBJECTIVES, CORNER, 100)
        for number, one in enumerate(records, start=1):
            results.add([one])
            front, volume = expected(records[:number])
            assert [member.fingerprint for member in results.status.front] == front
            assert results.status.hypervolume == volume
        whole = Results(OBJECTIVES, CORNER, 100)
        whole.add(records)
        assert whole.status == results.status


def test_only_the_front_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def counting(points: np.ndarray) -> np.ndarray:
        looked.append(len(points))
        return non_dominated(points)

    monkeypatch.setattr("experiments.search.status.non_dominated", counting)
    results = Results(OBJECTIVES, CORNER, 100)
    for number in range(50):
        results.add([record(number, 50.0 - number, 1.0 + number)])
    assert max(looked) == 2
    assert [one.trial for one in results.status.front] == [0]
