"""Workers that fit into the machines of a cluster."""

import pytest

from experiments.engines.room import room_for
from experiments.engines.workers import Workers
from topformer.errors import InputError

HEAD, SMALL, LARGE = {"CPU": 0.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 32.0, "GPU": 4.0, "memory": 1e9}


@pytest.mark.parametrize(
    ("workers", "room"),
    [
        (Workers(), 36),
        (Workers(cpus=3), 11),
        (Workers(gpus=1.0), 5),
        (Workers(gpus=2.0), 2),
        # Two share a GPU; four cores do not limit them, 32 / 5 do.
        (Workers(gpus=0.5), 10),
        (Workers(cpus=5, gpus=0.5), 6),
        # A third GPU's worth of what is left over is no share.
        (Workers(gpus=0.4), 10),
    ],
)
def test_room_is_counted_machine_by_machine(workers: Workers, room: int) -> None:
    assert room_for(workers, [HEAD, SMALL, LARGE]) == room


def test_a_worker_that_is_larger_than_every_machine() -> None:
    with pytest.raises(InputError, match="with cpus = 1 and gpus = 8: the largest have 32 cores and 4 GPUs"):
        room_for(Workers(gpus=8.0), [HEAD, SMALL, LARGE])
