"""Every design of a space with its cost and latency, at hundreds of thousands a second.

A cost is a sum over four groups of parts, and each group sees only some axes: the head of the space `paper` varies
with three of its seven. So each group is costed once for every combination of its own axes, some hundred times, and
gathered for every design.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search_space.axes.axis import Axis
from search_space.candidate import Candidate
from search_space.cost.parts import FIELDS_OF, GROUPS, HEAD
from search_space.cost.table import Gathered
from search_space.latency.boundary import boundary_named
from search_space.latency.coefficients import FEATURE_COUNT
from search_space.latency.estimate import LatencyTable
from search_space.latency.model import DeviceModel
from search_space.latency.predictive_spread import Floats
from search_space.spaces.diagram import Edge, Node, diagram, numbered
from search_space.spaces.space import ALPHA, Space
from topformer.deployment.boundary import Boundary
from topformer.design import Design
from topformer.errors import ExplorerError, SpaceError

MOST = 20_000_000
"""Designs that fit into memory, at about two hundred bytes each."""

CHECKED = 64
"""Designs of every enumeration that are costed one at a time too."""

Integers = NDArray[np.int64]

_INPUT = "input"
"""Stands beside the names of a design's fields for the size of the image, on which every group depends."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enumeration:
    """All N designs of a space, in the order in which the space lists them.

    Attributes:
        space: The space.
        device: Name of the device.
        choices: (N, axes of the space), place of each axis's label; -1 where the axis does not apply.
        parameters: (N,).
        macs: (N,), of all operations, as `Cost.macs` and the limits of a study count them.
        macs_conv_matmul: (N,), of convolutions and matrix products.
        latency: The predictions.
        boundary: Where the timed graph ends.
    """

    space: Space
    device: str
    choices: NDArray[np.int16]
    parameters: Integers
    macs: Integers
    macs_conv_matmul: Integers
    latency: LatencyTable
    boundary: Boundary = Boundary.LOGITS

    def __len__(self) -> int:
        return len(self.choices)

    def labels(self, index: int) -> dict[str, str]:
        """The labels of the design at that place."""
        chosen = zip(self.space.axes, self.choices[index].tolist(), strict=True)
        return {axis.name: axis.labels[place] for axis, place in chosen if place >= 0}

    def candidate(self, index: int) -> Candidate:
        """The design at that place."""
        return self.space.candidate(self.labels(index))

    def feasible(self, max_ms: float) -> NDArray[np.bool_]:
        """Which designs are predicted to take at most `max_ms`: (N,)."""
        within: NDArray[np.bool_] = self.latency.milliseconds <= max_ms
        return within

    def check_feasible(self, max_ms: float) -> None:
        """Some design is predicted to take at most `max_ms`.

        Raises:
            SpaceError: None is; the message says how fast the fastest is.
        """
        fastest = float(self.latency.milliseconds.min())
        if fastest > max_ms:
            raise SpaceError(
                f"no design takes at most {max_ms:g} ms; the fastest is predicted to take {fastest:.2f} ms"
            )

    def summary(self, max_ms: float | None = None) -> "Summary":
        """The feasible designs in numbers; without a limit all are feasible.

        Raises:
            SpaceError: None is feasible; the message says how fast the fastest is.
        """
        limit = float("inf") if max_ms is None else max_ms
        self.check_feasible(limit)
        chosen = np.flatnonzero(self.feasible(limit))
        columns: dict[str, Floats | Integers] = {
            "latency_ms": self.latency.milliseconds,
            "macs": self.macs,
            "parameters": self.parameters,
        }
        sure = int((self.latency.high[chosen] <= limit).sum())
        return Summary(
            space=self.space.name,
            device=self.device,
            max_ms=max_ms,
            designs=len(self),
            feasible=len(chosen),
            surely_feasible=sure,
            perhaps_feasible=len(self)
            if max_ms is None
            else int((self.latency.probability_above(max_ms) <= 1 - ALPHA).sum()),
            extremes=MappingProxyType({name: self._ends(column, chosen) for name, column in columns.items()}),
        )

    def _ends(self, column: Floats | Integers, chosen: NDArray[np.intp]) -> tuple["Extreme", "Extreme"]:
        least, most = int(chosen[np.argmin(column[chosen])]), int(chosen[np.argmax(column[chosen])])
        return self._extreme(column, least), self._extreme(column, most)

    def _extreme(self, column: Floats | Integers, index: int) -> "Extreme":
        return Extreme(value=float(column[index]), index=index, labels=self.labels(index))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """The design with the least or the most of something.

    Attributes:
        value: How much.
        index: Its place in the enumeration.
        labels: Its labels.
    """

    value: float
    index: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The feasible part of a space, exactly.

    Attributes:
        space: Name of the space.
        device: Name of the device.
        max_ms: The limit, if there is one.
        designs: Distinct designs of the space.
        feasible: Those predicted to take at most the limit.
        surely_feasible: Those of them whose whole 95 % interval is below it.
        perhaps_feasible: Designs that meet the limit with a probability of `ALPHA` at least: those that a sweep with
            that limit may train.
        extremes: `latency_ms`, `macs` and `parameters` to the feasible designs with the least and the most of it.
    """

    space: str
    device: str
    max_ms: float | None
    designs: int
    feasible: int
    surely_feasible: int
    perhaps_feasible: int
    extremes: Mapping[str, tuple[Extreme, Extreme]]

    def render(self) -> str:
        """As text."""
        limit = "any latency" if self.max_ms is None else f"at most {self.max_ms:g} ms"
        lines = [
            f"space {self.space}: {self.designs:,} distinct designs",
            f"predicted to take {limit} on {self.device}: {self.feasible:,} ({self.feasible / self.designs:.1%}); "
            f"with the whole interval: {self.surely_feasible:,}; with a probability of {ALPHA:g} at least: "
            f"{self.perhaps_feasible:,}",
        ]
        for name, ends in self.extremes.items():
            for word, end in zip(("least", "most"), ends, strict=True):
                labels = " ".join(f"{axis}={label}" for axis, label in end.labels.items())
                value = f"{end.value:,.2f}" if name == "latency_ms" else f"{int(end.value):,}"
                lines.append(f"{word + ' ' + name:<18} {value:>16}  {labels}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self) if item.name != "extremes"},
            "extremes": {
                name: [{"value": end.value, "index": end.index, "labels": dict(end.labels)} for end in ends]
                for name, ends in self.extremes.items()
            },
        }


def enumerated(space: Space, model: DeviceModel, boundary: Boundary | str = Boundary.LOGITS) -> Enumeration:
    """All designs of the space with their cost and latency.

    Args:
        space: The space.
        model: The device.
        boundary: Where the timed graph ends.

    Raises:
        InputError: There is no such boundary.
        SpaceError: The space holds more designs than fit into memory.
    """
    end = boundary_named(boundary)
    root = diagram(space.base, space.axes, space.rules)
    if root.total > MOST:
        raise SpaceError(f"a space of at most {MOST:,} designs can be listed, got {root.total:,} in {space.name!r}")
    choices = _Paths(space.axes).of(root)
    columns, ending_ms = np.zeros((root.total, len(_Column._fields) + 2 * FEATURE_COUNT)), np.zeros(root.total)
    touched = _touched(space, root)
    # Each group is costed once per combination of the axes that touch it; `where` spreads that to all designs.
    for group in GROUPS:
        own = [place for place, names in enumerate(touched) if names & (FIELDS_OF[group] | {_INPUT})]
        first, where = _combinations(choices[:, own])
        candidates = list(numbered(root, space.base, first.tolist()))
        columns += _of_group(candidates, model, group)[where]
        if group == HEAD:
            ending_ms = model.ending_ms(candidates, end)[where]
    enumeration = Enumeration(
        space=space,
        device=model.name,
        choices=choices,
        parameters=columns[:, 0].astype(np.int64),
        macs=columns[:, 1].astype(np.int64),
        macs_conv_matmul=columns[:, 2].astype(np.int64),
        boundary=end,
        latency=model.predict(columns[:, len(_Column._fields) :], ending_ms),
    )
    _check(enumeration, model, root)
    return enumeration


class _Column(NamedTuple):
    parameters: float
    macs: float
    macs_conv_matmul: float


class _Paths:
    """The choices of every path below a node; each node is done once."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._width = len(axes)
        self._column = {axis.name: column for column, axis in enumerate(axes)}
        self._below: dict[int, NDArray[np.int16]] = {}

    def of(self, node: Node) -> NDArray[np.int16]:
        """(total of the node, axes)."""
        if id(node) not in self._below:
            below = [self._through(edge) for edge in node.edges]
            self._below[id(node)] = (
                np.concatenate(below) if below else np.full((node.total, self._width), -1, dtype=np.int16)
            )
        return self._below[id(node)]

    def _through(self, edge: Edge) -> NDArray[np.int16]:
        paths = self.of(edge.target).copy()
        paths[:, self._column[edge.axis.name]] = edge.choice
        return paths


def _touched(space: Space, root: Node) -> list[set[str]]:
    """Per axis, which fields of a design and sides of the image any of its choices changes, anywhere in the space."""
    touched: dict[str, set[str]] = {axis.name: set() for axis in space.axes}
    for edge, before in _edges(root, space.base):
        touched[edge.axis.name] |= _differences(before, edge.apply(before))
    return list(touched.values())


def _edges(root: Node, base: Candidate) -> Iterator[tuple[Edge, Candidate]]:
    """Every edge of the diagram once, with a candidate that can take it."""
    waiting, seen = [(root, base)], {id(root)}
    while waiting:
        node, candidate = waiting.pop()
        for edge in node.edges:
            yield edge, candidate
            if id(edge.target) not in seen:
                seen.add(id(edge.target))
                waiting.append((edge.target, edge.apply(candidate)))


def _differences(before: Candidate, after: Candidate) -> set[str]:
    """The fields of the design that differ, and `_INPUT` where the size of the image does."""
    names = {
        item.name for item in fields(Design) if getattr(before.design, item.name) != getattr(after.design, item.name)
    }
    resized = (before.height, before.width) != (after.height, after.width)
    return names | {_INPUT} if resized else names


def _combinations(choices: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first row of every distinct one, ascending, and for each row the place of its like among them."""
    # One whole number per row, as digits of a mixed base, so that distinct rows are distinct numbers.
    codes = np.zeros(len(choices), dtype=np.int64)
    for column in choices.T:
        codes = codes * (int(column.max(initial=0)) + 2) + column + 1
    _, first, where = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[where]


def _of_group(candidates: Sequence[Candidate], model: DeviceModel, group: str) -> Floats:
    """Cost and features of one group of parts in each candidate."""
    gathered = Gathered(candidates)
    costs = gathered.costs().by_module[group]
    features = gathered.sums(model.feature_extractor)[:, GROUPS.index(group)]
    rows: Floats = np.concatenate([np.stack([costs[name] for name in _Column._fields], axis=1), features], 1)
    return rows


def _check(enumeration: Enumeration, model: DeviceModel, root: Node) -> None:
    """Some designs, evenly spread, are costed one at a time too: an axis may depend on more than it changes."""
    places = (
        np.unique(np.linspace(0, len(enumeration) - 1, CHECKED).astype(int))
        if len(enumeration)
        else np.array([], dtype=int)
    )
    alone = list(numbered(root, enumeration.space.base, places.tolist()))
    slow = model.estimate_many(alone, boundary=enumeration.boundary).milliseconds
    if not np.allclose(enumeration.latency.milliseconds[places], slow, rtol=1e-9):
        raise ExplorerError(
            f"space {enumeration.space.name!r} has axes whose effect on cost is not that of the fields they change; "
            "its designs must be costed one at a time"
        )
