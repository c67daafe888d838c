"""Weights of one design for another: sliced where the other is narrower, and named where they are new.

`topformer.weights.roles` says which part of which tensor of the source it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.weights.roles import Role, cut, roles, unit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritReport:
    """What became of every tensor of the new network, by name.

    Attributes:
        inherited: As they were.
        sliced: A part of the source's tensor of that role.
        new: Initialised, because the source has no such part or a smaller one.
    """

    inherited: tuple[str, ...]
    sliced: tuple[str, ...]
    new: tuple[str, ...]


def inherit(state: Mapping[str, Tensor], source: Design, design: Design) -> tuple[dict[str, Tensor], InheritReport]:
    """The weights of a network of `design`, from those of a network of `source`.

    What is new is initialised as for a training, with torch's generator.

    Args:
        state: State dict of a `TopFormer` of `source`.
        source: The design it belongs to.
        design: The design wanted.

    Returns:
        A state dict of a `TopFormer` of `design`, sharing no memory with `state`, and what became of each tensor.

    Raises:
        CheckpointError: `state` is not one of `source`.
    """
    _check(state, source)
    fresh, wanted = TopFormer(design).state_dict(), roles(design)
    held = {role.key: (path, role) for path, role in roles(source).items()}
    inherited: list[str] = []
    sliced: list[str] = []
    new: list[str] = []
    for name, tensor in fresh.items():
        path, leaf = unit_of(name)
        role = wanted.get(path)
        # A construction whose axes nobody has said is taken whole, or not at all.
        origin, other = (path, None) if role is None else held.get(role.key, ("", None))
        value = state.get(f"{origin}.{leaf}")
        part = _whole(value, tensor) if role is None else _part(value, other, role, tensor)
        if part is None or value is None:
            new.append(name)
            continue
        (inherited if part.shape == value.shape else sliced).append(name)
        fresh[name] = part.clone()
    return fresh, InheritReport(inherited=tuple(inherited), sliced=tuple(sliced), new=tuple(new))


def _part(value: Tensor | None, held: Role | None, wanted: Role, tensor: Tensor) -> Tensor | None:
    return None if value is None or held is None else cut(value, held, wanted, tensor.shape[-1] if tensor.dim() else 1)


def _whole(value: Tensor | None, tensor: Tensor) -> Tensor | None:
    return value if value is not None and value.shape == tensor.shape else None


def _check(state: Mapping[str, Tensor], source: Design) -> None:
    with torch.device("meta"):
        wanted = TopFormer(source).state_dict()
    odd = sorted(state.keys() ^ wanted.keys())
    odd += [name for name, value in wanted.items() if name in state and state[name].shape != value.shape]
    if odd:
        raise CheckpointError(
            f"the weights are not those of the source design; {len(odd)} tensors differ: {', '.join(odd[:8])}"
        )
