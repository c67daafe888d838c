"""Where evaluations run, in one table."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.implementations import Implementation, canonical
from topformer.errors import InputError

if TYPE_CHECKING:
    from experiments.engines.engine import EngineMaker

LOCAL = "local"
RAY = "ray"

ENGINES: Mapping[str, Implementation] = MappingProxyType(
    {
        LOCAL: Implementation("experiments.engines.local:LocalEngine", "processes on this machine"),
        RAY: Implementation("experiments.engines.ray:RayEngine", "workers of a Ray cluster, or of Ray on this machine"),
    }
)
"""Name to what makes the engine (an `EngineMaker`)."""


def engine_maker(name: str = LOCAL, address: str | None = None) -> "EngineMaker":
    """What makes the engine of that name.

    Args:
        name: One of `ENGINES`.
        address: Where the cluster is, for an engine that has one.

    Raises:
        InputError: There is no such engine, or it has no address.
    """
    known = canonical("engine", name, ENGINES)
    if known == RAY:
        maker: EngineMaker = partial(ENGINES[known].load(), address=address)
        return maker
    if address is not None:
        raise InputError(f"--address is that of a cluster, for --engine {RAY}, got {address} with --engine {known}")
    local: EngineMaker = ENGINES[known].load()
    return local
