"""A store of parameters: the union of several designs, from which those of any design within it are cut.

A network knows nothing of it: `torch.func.functional_call` runs an ordinary `TopFormer` on what is cut, and gradients
reach the parts that were taken. Where two kinds of modules can stand in one place (what is pooled, the kinds of
injection and head), each kind has parameters of its own; the kinds of extractor have them by their roles.

Reference: Cai et al., Once-for-all, ICLR 2020, and Yu et al., BigNAS, ECCV 2020, for networks as slices of one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from torch import Tensor, nn

from topformer.design import Design
from topformer.errors import CheckpointError, DesignError
from topformer.network import TopFormer
from topformer.weights.roles import Role, Segments, cut, roles, unit_of

_SHOWN = 3
"""Missing parts that a message names."""


@dataclass(frozen=True, slots=True)
class _Need:
    """One parameter of a network: its name there, that of the tensor that holds it, its role, and its kernel's side."""

    name: str
    held: str
    role: Role
    side: int


class Store:
    """Parameters by the name of their role.

    Args:
        held: Names of tensors to their roles, whose axes are the union of those of all designs.
        values: The tensors.
    """

    def __init__(self, held: Mapping[str, Role], values: Mapping[str, Tensor]) -> None:
        self._held = dict(held)
        self.values: dict[str, Tensor] = dict(values)
        """Name to tensor; a training makes leaves of them."""

    @classmethod
    def union(cls, designs: Iterable[Design]) -> "Store":
        """The parameters of designs of which the largest of every kind are among them.

        They start as those of the first design that has the whole of them, with torch's generator.

        Raises:
            DesignError: A parameter is not whole in any of the designs.
        """
        largest: dict[str, _Need] = {}
        values: dict[str, Tensor] = {}
        for need, value in (found for design in designs for found in _needs(TopFormer(design))):
            known = largest.get(need.held)
            whole = need if known is None else _joined(known, need)
            if whole != known and (whole.role, whole.side) == (need.role, need.side):
                values[need.held] = value.detach()
            largest[need.held] = whole
        if odd := [name for name, need in largest.items() if not _fits(values[name], need.role, need.side)]:
            raise DesignError(f"none of the designs of a store has the whole of {_listed(odd)}")
        return cls({name: need.role for name, need in largest.items()}, values)

    def cut(self, network: TopFormer) -> dict[str, Tensor]:
        """The parameters of a network by their names in it: views, or copies that gradients go through.

        Args:
            network: Of the design that is wanted; its own parameters are not read.

        Raises:
            DesignError: A part is not there, or too small.
        """
        found: dict[str, Tensor] = {}
        odd = []
        for need, _ in _needs(network):
            held = self._held.get(need.held)
            part = None if held is None else cut(self.values[need.held], held, need.role, need.side)
            if part is None:
                odd.append(need.name)
            else:
                found[need.name] = part
        if odd:
            raise DesignError(f"the store holds no weights for {_listed(odd)} of this design")
        return found

    def digest(self) -> str:
        """Twelve hexadecimal digits that tell the parameters from others."""
        found = hashlib.sha256()
        for name, value in sorted(self.values.items()):
            found.update(f"{name} {tuple(value.shape)}".encode())
            found.update(value.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """The axes of every tensor, as plain values; with `values` they make the store again."""
        return {
            name: {"key": role.key, "kind": role.kind, "rows": list(role.rows), "columns": list(role.columns)}
            for name, role in self._held.items()
        }

    @classmethod
    def from_json(cls, axes: Mapping[str, Any], values: Mapping[str, Tensor]) -> "Store":
        """The inverse of `to_json`.

        Raises:
            CheckpointError: The two do not belong together.
        """
        try:
            held = {
                name: Role(one["key"], one["kind"], tuple(one["rows"]), tuple(one["columns"]))
                for name, one in axes.items()
            }
        except (KeyError, TypeError, AttributeError):
            raise CheckpointError("the axes of a store must be tables with key, kind, rows and columns") from None
        odd = sorted(held.keys() ^ values.keys())
        odd += [name for name in held.keys() & values.keys() if not _fits(values[name], held[name])]
        if odd:
            raise CheckpointError(f"axes and weights of a store do not belong together: {_listed(odd)}")
        return cls(held, values)


def is_norm(name: str) -> bool:
    """Whether a tensor of a store, or of a network, is BatchNorm's."""
    return ".norm." in name


def is_head(name: str) -> bool:
    """Whether a tensor of a store, or of a network, is the head's."""
    return name.startswith("head.")


def _needs(network: TopFormer) -> Iterator[tuple[_Need, nn.Parameter]]:
    """Every parameter of a network, and what it is a part of."""
    known = roles(network.design)
    for name, parameter in network.named_parameters():
        path, leaf = unit_of(name)
        role = known[path]
        kind = f".{role.kind}" if role.kind else ""
        side = parameter.shape[-1] if parameter.dim() > 1 else 1
        yield _Need(name, f"{role.key}{kind}.{leaf}", role, side), parameter


def _joined(one: _Need, other: _Need) -> _Need:
    """What holds both."""
    rows, columns = _longest(one.role.rows, other.role.rows), _longest(one.role.columns, other.role.columns)
    return replace(one, role=replace(one.role, rows=rows, columns=columns), side=max(one.side, other.side))


def _longest(one: Segments, other: Segments) -> Segments:
    return tuple(max(pair) for pair in zip_longest(one, other, fillvalue=0))


def _fits(value: Tensor, role: Role, side: int | None = None) -> bool:
    """Whether a tensor has the axes of its role, and a kernel of that side."""
    same = tuple(value.shape[:2]) == (sum(role.rows), sum(role.columns))[: value.dim()]
    return same and (side is None or value.dim() == 1 or value.shape[-1] == side)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
