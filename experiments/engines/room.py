"""How many workers fit into the machines of a cluster."""

from collections.abc import Mapping, Sequence
from math import floor

from experiments.engines.workers import ROUNDING, Workers
from topformer.errors import InputError


def room_for(workers: Workers, machines: Sequence[Mapping[str, float]]) -> int:
    """Number of workers that fit, whoever else uses the machines.

    Args:
        workers: Settled on a number of GPUs.
        machines: What each has, as Ray says it: cores as `CPU`, GPUs as `GPU`.

    Raises:
        InputError: No machine has room for one.
    """
    cpus, gpus = workers.cpus, workers.gpus or 0.0
    room = sum(_fit(machine, cpus, gpus) for machine in machines)
    if not room:
        largest = max((machine.get("CPU", 0.0) for machine in machines), default=0.0)
        most = max((machine.get("GPU", 0.0) for machine in machines), default=0.0)
        raise InputError(
            f"no machine of the cluster has room for a worker with cpus = {cpus:g} and gpus = {gpus:g}: the largest "
            f"have {largest:g} cores and {most:g} GPUs"
        )
    return room


def _fit(machine: Mapping[str, float], cpus: float, gpus: float) -> int:
    by_cores = floor(machine.get("CPU", 0.0) / cpus)
    if not gpus:
        return by_cores
    found = machine.get("GPU", 0.0)
    # A share is of one GPU: what two of them have left does not make one.
    by_gpus = floor(found) * floor(1 / gpus + ROUNDING) if gpus < 1 else floor(found / gpus)
    return min(by_cores, by_gpus)
