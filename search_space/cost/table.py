"""Exact costs of thousands of candidates at once: every distinct part is costed once, the rest is gathering."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from search_space.candidate import Candidate
from search_space.cost.conventions import Quantities
from search_space.cost.parts import CACHED, GROUPS, Part, group, layout, quantities, steps
from search_space.operations.operation import Operation

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)

Fold = Callable[[tuple[Operation, ...]], Sequence[float]]
"""Operations of one part to numbers that add up over the parts; a pure, hashable function
whose answers have one length, also the one to no operations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostTable:
    """Costs of N candidates; columns of int64, one number per candidate, named as in `Cost`.

    Attributes:
        by_module: Part name to the column of its share; fields but the peak, which no part owns and is absent.
    """

    parameters: Integers
    macs: Integers
    macs_conv_matmul: Integers
    macs_paper_convention: Integers
    peak_activation_bytes: Integers
    by_module: Mapping[str, Mapping[str, Integers]]

    def __len__(self) -> int:
        return len(self.parameters)


class Gathered:
    """The parts of N candidates, numbered; what is additive over parts becomes a sum of gathered rows.

    Attributes:
        parts: The distinct parts.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        # Flat lists of part numbers with the lengths of their runs: `reduceat` sums the runs of a flat array.
        numbers, flat, held, lengths = _Numbering(), list[int](), list[int](), list[int]()
        for candidate in candidates:
            plan = layout(candidate.design, candidate.height, candidate.width)
            flat.extend(map(numbers.__getitem__, plan.parts))
            held.extend(plan.held)
            lengths.append(len(plan.parts))
        self.parts = tuple(numbers)
        self._flat = np.array(flat, dtype=np.intp)
        self._held = np.array(held, dtype=np.int64)
        self._starts = np.cumsum([0, *lengths], dtype=np.intp)[:-1]

    def __len__(self) -> int:
        return len(self._starts)

    def costs(self) -> CostTable:
        """The exact costs."""
        names = Quantities._fields
        rows = np.array([quantities(part) for part in self.parts], dtype=np.int64).reshape(-1, len(names))
        shares = self._total(rows[:, :-1])
        # A peak is no sum: it is the largest over the parts, each with what is held beside it.
        peaks = rows[self._flat, -1] + self._held
        return CostTable(
            **dict(zip(names[:-1], shares.sum(axis=1).T, strict=True)),
            peak_activation_bytes=np.maximum.reduceat(peaks, self._starts) if len(self) else peaks,
            by_module=MappingProxyType(
                {
                    name: MappingProxyType(dict(zip(names[:-1], shares[:, index].T, strict=True)))
                    for index, name in enumerate(GROUPS)
                }
            ),
        )

    def sums(self, fold: Fold) -> Floats:
        """Sums of `fold` over the operations of each group of parts.

        Args:
            fold: Sees the operations of one part at a time; modules are paths below the part.

        Returns:
            (N, len(GROUPS), length of the fold); the sum over the second axis is that of the network.
        """
        folded = [_folded(fold, part) for part in self.parts]
        width = len(folded[0] if folded else fold(()))
        return self._total(np.array(folded, dtype=np.float64).reshape(len(folded), width))

    def _total(self, rows: NDArray[Number]) -> NDArray[Number]:
        """Sums of the rows over the parts of each candidate and group: (N, len(GROUPS), columns)."""
        shape = (len(self), len(GROUPS), rows.shape[1])
        if not len(self):
            return np.zeros(shape, dtype=rows.dtype)
        groups = np.array([GROUPS.index(group(part)) for part in self.parts])[self._flat]
        # The groups follow each other in every network, and none is empty: a run of equal ones is a group of one.
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        columns = [np.add.reduceat(column[self._flat], starts) for column in np.ascontiguousarray(rows.T)]
        return np.stack(columns, axis=-1).reshape(shape)


class _Numbering(dict[Part, int]):
    """Every part with its number, given at its first use, from 0 on."""

    def __missing__(self, part: Part) -> int:
        number = self[part] = len(self)
        return number


@lru_cache(maxsize=CACHED)
def _folded(fold: Fold, part: Part) -> tuple[float, ...]:
    return tuple(fold(steps(part)))


def costs(candidates: Sequence[Candidate]) -> CostTable:
    """Exact costs of all candidates, equal to `cost` of each."""
    return Gathered(candidates).costs()


def sums(candidates: Sequence[Candidate], fold: Fold) -> Floats:
    """Sums of `fold` over all operations of each candidate: (N, length of the fold).

    To fold the same candidates more than once, or by group, make one `Gathered` of them.
    """
    total: Floats = Gathered(candidates).sums(fold).sum(axis=1)
    return total
