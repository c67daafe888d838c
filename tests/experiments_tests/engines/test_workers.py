"""What workers may use of a machine: no GPU is shared unasked."""

import pytest

from experiments.engines import engine_maker
from experiments.engines.workers import Workers
from tests.experiments_tests.search.stand_in import definition
from topformer.errors import InputError, StudyError


@pytest.mark.parametrize(
    ("gpus", "uses_gpu", "available", "settled"),
    [
        (None, True, 2, 1.0),
        (None, True, 0, 0.0),
        (None, False, 2, 0.0),
        (0.25, True, 2, 0.25),
        (0.0, True, 2, 0.0),
    ],
)
def test_who_says_nothing_gets_a_whole_gpu_where_there_is_one(
    gpus: float | None, uses_gpu: bool, available: int, settled: float
) -> None:
    assert Workers(gpus=gpus).settled(uses_gpu=uses_gpu, available=available).gpus == settled


@pytest.mark.parametrize(
    ("count", "gpus", "available", "places"),
    [
        (2, 1.0, 2, [(0,), (1,)]),
        (2, 2.0, 4, [(0, 1), (2, 3)]),
        (4, 0.5, 2, [(0,), (1,), (0,), (1,)]),
        (3, 1 / 3, 1, [(0,), (0,), (0,)]),
        (3, 0.33, 1, [(0,), (0,), (0,)]),
        (3, 0.0, 1, [(), (), ()]),
    ],
)
def test_workers_are_spread_over_the_gpus(
    count: int, gpus: float, available: int, places: list[tuple[int, ...]]
) -> None:
    assert Workers(count=count, gpus=gpus).places(available) == places


def test_more_workers_than_gpus_are_refused_with_the_share_that_would_do() -> None:
    message = "got 4 with 1 of a GPU each, and this machine has 1 GPU: 1 of them fit; with gpus = 0.25 they share"
    with pytest.raises(StudyError, match=message):
        Workers(count=4).settled(uses_gpu=True, available=1).places(1)


def test_a_share_is_of_one_gpu() -> None:
    with pytest.raises(StudyError, match=r"gpus must be a whole number where it is above 1, got 1[.]5"):
        Workers(gpus=1.5)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (2, Workers(count=2)),
        ({"count": 8, "cpus": 2, "gpus": 0.25}, Workers(count=8, cpus=2, gpus=0.25)),
        ({"gpus": 1}, Workers(gpus=1)),
    ],
)
def test_a_study_says_a_number_of_workers_or_a_table(given: object, meant: Workers) -> None:
    assert definition(workers=given).workers == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0, "workers must be an integer of at least 1, got 0"),
        ("many", "workers must be an integer of at least 1, got 'many'"),
        ({"number": 2}, "unknown key of workers 'number'; accepted: count, cpus, gpus"),
        ({"cpus": 0}, "workers.cpus must be a number above 0, of at most 1,024, got 0"),
        ({"gpus": -1}, "workers.gpus must be a number from 0 to 1,024, got -1"),
    ],
)
def test_workers_that_are_none(given: object, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        definition(workers=given)


def test_an_engine_of_another_name_or_without_an_address() -> None:
    with pytest.raises(InputError, match="unknown engine 'rai'; did you mean 'ray'"):
        engine_maker("rai")
    with pytest.raises(InputError, match="--address is that of a cluster, for --engine ray, got auto"):
        engine_maker("local", "auto")
