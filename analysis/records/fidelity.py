"""Fidelity: what an accuracy was obtained with. Numbers of two fidelities are never ranked or averaged together."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from topformer.errors import StudyError

UNKNOWN = "unknown"
"""In the place of a digest that an old record does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Evaluator, data, input size and budget of one evaluation.

    Attributes:
        evaluator: Kind and digest of its settings, such as `lean:2349b14d3efd`.
        data: Name and digest of the data set, such as `tokenworld-128:4d161868f7e5`; empty without data.
        size: Input height and width in pixels, such as `128x128`.
        budget: Iterations; 0 where nothing is trained.
    """

    evaluator: str
    data: str
    size: str
    budget: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, height: int, width: int, budget: int) -> Self:
        """The fidelity of an evaluator that describes itself so.

        Args:
            settings: What `Evaluator.describe` gives: `kind`, perhaps `data` with its `name`, and the rest.
            height: Input height in pixels.
            width: Input width in pixels.
            budget: Iterations.
        """
        rest = {name: value for name, value in settings.items() if name not in ("kind", "data")}
        data = settings.get("data")
        return cls(
            evaluator=f"{settings['kind']}:{digest(rest)}",
            data="" if data is None else f"{data['name']}:{digest(data)}",
            size=f"{height}x{width}",
            budget=budget,
        )

    @property
    def digest(self) -> str:
        """Twelve letters that stand for all four, for the names of folders."""
        return digest([self.evaluator, self.data, self.size, self.budget])

    def completed(self, other: Self) -> Self:
        """This one, with what it does not know taken from a fidelity that is the same in everything it knows."""
        name = other.data.rpartition(":")[0]
        whole = replace(
            self,
            evaluator=other.evaluator if self.evaluator == UNKNOWN else self.evaluator,
            data=other.data if self.data in (UNKNOWN, f"{name}:{UNKNOWN}") else self.data,
        )
        return whole if whole == other else self

    def __str__(self) -> str:
        data = f" on {self.data}" if self.data else ""
        spent = f", {self.budget:,} iterations" if self.budget else ""
        return f"{self.evaluator}{data} at {self.size}{spent}"


def digest(value: object) -> str:
    """Twelve hexadecimal digits of a plain JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def check_one(fidelities: Iterable[Fidelity], what: str) -> None:
    """Refuse to put numbers of several fidelities together.

    Raises:
        StudyError: There are several; the message shows each.
    """
    different = sorted(set(fidelities), key=str)
    if len(different) > 1:
        shown = "; ".join(str(fidelity) for fidelity in different)
        raise StudyError(f"{what} needs accuracies of one fidelity, got {len(different)}: {shown}")
