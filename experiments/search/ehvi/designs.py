"""The designs that a sampler may choose from, as arrays: their labels, and their costs, which are exact and free."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.records.screened import SCREENED, WITHIN
from experiments.search.definition import LATENCY, Limits
from search_space.axes.axis import Axis
from search_space.cost.table import costs
from search_space.latency.calibration.devices import device as load_device
from search_space.latency.devices import devices
from search_space.latency.estimate import LatencyTable
from search_space.latency.model import DeviceModel
from search_space.spaces.enumeration import enumerated
from search_space.spaces.sampling import RecordingChooser
from search_space.spaces.space import Space
from topformer.csv_file import whole_lines
from topformer.errors import RecordError, SpaceError
from topformer.kinds import number_in

# N designs, A axes, C costs.

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Choices = NDArray[np.int16]
Mask = NDArray[np.bool_]

COSTS = ("macs", "parameters", LATENCY)
"""The columns of costs; the last one only where there is a device."""
LISTED = 1_000_000
"""The largest space whose designs are all costed; about a second."""
MOST = 50_000
"""Designs of such a space that a sampler looks at: 50 ms per proposal at 300 observations."""


class Designs:
    """N designs of a space; more can be added, and those that are there keep their places.

    Attributes:
        space: Where they are from.
        columns: Names of the costs.
        choices: (N, A), place of each axis's label; -1 where the axis does not apply.
        costs: (N, C).
        within: (N,), whether a design is within the limits.
        is_whole: Whether every design of the space within the limits is there.
    """

    def __init__(self, space: Space, limits: Limits, device: DeviceModel | None) -> None:
        """Begin without designs.

        Args:
            space: Where they are from.
            limits: What they may cost.
            device: Of the latency, where latency is an objective or limited.
        """
        self.space = space
        self.columns = COSTS if device is not None else COSTS[:-1]
        self.choices: Choices = np.empty((0, len(space.axes)), dtype=np.int16)
        self.costs: Floats = np.empty((0, len(self.columns)))
        self.within: Mask = np.empty(0, dtype=bool)
        self.is_whole = False
        self._limits, self._device = limits, device
        self._places: dict[bytes, int] = {}
        self._named: dict[frozenset[tuple[str, str]], int] = {}
        self._numbers = [{label: number for number, label in enumerate(axis.labels)} for axis in space.axes]

    def __len__(self) -> int:
        return len(self.choices)

    def labels(self, place: int) -> dict[str, str]:
        """The labels of the design at that place."""
        chosen = zip(self.space.axes, self.choices[place].tolist(), strict=True)
        return {axis.name: axis.labels[number] for axis, number in chosen if number >= 0}

    def place(self, labels: Mapping[str, str]) -> int:
        """Where the design of these labels stands; it is added where it is not there yet.

        Raises:
            SpaceError: The labels describe no design of the space.
        """
        # A study names the same trials again and again.
        key = frozenset(labels.items())
        if key not in self._named:
            self.add([labels])
            self._named[key] = self._places[self._row(labels).tobytes()]
        return self._named[key]

    def add(self, designs: Iterable[Mapping[str, str]]) -> None:
        """Cost these designs, and keep those that are not there yet.

        Raises:
            SpaceError: Some labels describe no design of the space.
        """
        rows = {row.tobytes(): (row, labels) for labels in designs for row in [self._row(labels)]}
        fresh = [item for key, item in rows.items() if key not in self._places]
        if not fresh:
            return
        candidates = [self.space.candidate(labels) for _, labels in fresh]
        table = costs(candidates)
        latency = self._device.estimate_many(candidates) if self._device is not None else None
        within = self._are_within(table.macs, table.parameters, latency)
        numbers = self._columns(table.macs, table.parameters, latency)
        self._append(np.stack([row for row, _ in fresh]), numbers, within)

    def add_neighbours(self, places: Sequence[int], amount: int, random: Random) -> None:
        """Add up to `amount` designs that differ from those at these places in one label, and in what follows from it.

        Local search, as White, Nolen and Savani optimise acquisition functions (Exploring the loss landscape in
        neural architecture search, UAI 2021).
        """
        neighbours = (self._neighbour(self.labels(random.choice(places)), random) for _ in range(amount))
        self.add([labels for labels in neighbours if labels is not None])

    def _neighbour(self, labels: Mapping[str, str], random: Random) -> dict[str, str] | None:
        axis = random.choice([axis for axis in self.space.axes if axis.name in labels and len(axis.labels) > 1])
        other = random.choice([label for label in axis.labels if label != labels[axis.name]])
        recorder = RecordingChooser(_Changed({**labels, axis.name: other}, random))
        try:
            self.space.suggest(recorder)
        except SpaceError:
            return None
        return recorder.labels

    def add_listed(self, most: int = MOST, seed: int = 0) -> None:
        """Add the designs of the space that are within the limits, or `most` of them by a seeded draw.

        Raises:
            SpaceError: The space holds more designs than can be listed.
        """
        # A listing always has a latency; where nobody asks for one, any device serves.
        found = enumerated(self.space, self._device or load_device(devices()[0]))
        latency = found.latency if self._device is not None else None
        within = np.flatnonzero(self._are_within(found.macs, found.parameters, latency))
        self.is_whole = len(within) <= most
        if not self.is_whole:
            within = np.sort(np.random.default_rng(seed).choice(within, most, replace=False))
        numbers = self._columns(found.macs, found.parameters, latency)[within]
        self._append(found.choices[within], numbers, np.ones(len(within), dtype=bool))

    def add_screened(self, path: Path) -> None:
        """Add the designs of a file that the screening of the space wrote.

        Raises:
            RecordError: The file has no column for an axis or a cost of the study, or a cost is no number.
        """
        names = [axis.name for axis in self.space.axes]
        rows = whole_lines(path, (*self.columns, "verdict", *names), what="list of screened designs", error=RecordError)
        choices = [self._row({name: row[name] for name in names if row[name]}) for row in rows]
        try:
            numbers = [[number_in(row[column]) for column in self.columns] for row in rows]
        except ValueError as error:
            raise RecordError(f"{path}: a cost is no number ({error}); without the file, it is made again") from None
        within = np.array([row["verdict"] == WITHIN for row in rows], dtype=bool)
        self._append(np.stack(choices), np.array(numbers), within)

    def _row(self, labels: Mapping[str, str]) -> Choices:
        axes = zip(self.space.axes, self._numbers, strict=True)
        return np.array(
            [numbers.get(labels[axis.name], -1) if axis.name in labels else -1 for axis, numbers in axes], np.int16
        )

    def _append(self, choices: Choices, numbers: Floats, within: Mask) -> None:
        start = len(self)
        self.choices = np.concatenate([self.choices, choices])
        self.costs = np.concatenate([self.costs, numbers])
        self.within = np.concatenate([self.within, within])
        self._places.update({row.tobytes(): place for place, row in enumerate(choices, start)})

    def _columns(self, macs: Integers, parameters: Integers, latency: LatencyTable | None) -> Floats:
        columns = [macs, parameters, *([latency.milliseconds] if latency is not None else [])]
        return np.stack(columns, axis=1).astype(np.float64)

    def _are_within(self, macs: Integers, parameters: Integers, latency: LatencyTable | None) -> Mask:
        """The verdict of the screening: a latency is within unless it exceeds its limit too probably."""
        within = np.ones(len(macs), dtype=bool)
        for column, most in ((macs, self._limits.macs), (parameters, self._limits.parameters)):
            if most is not None:
                within &= column <= most
        if latency is not None and self._limits.latency_ms is not None:
            within &= latency.probability_above(self._limits.latency_ms) <= 1 - self._limits.alpha
        return within


class _Changed:
    """Answers from a table, and at random where an axis applies only because of the change."""

    def __init__(self, labels: Mapping[str, str], random: Random) -> None:
        self._labels, self._random = labels, random

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        return self._labels.get(name) or self._random.choice(labels)


def choosable(space: Space, limits: Limits, device: DeviceModel | None, folder: Path, seed: int) -> Designs:
    """The designs of a study: those within the limits, up to `MOST`, or the screened ones where the space is too large.

    Args:
        space: Where they are from.
        limits: What they may cost.
        device: Of the latency, where latency is an objective or limited.
        folder: The run folder, with the file that the screening wrote.
        seed: Of the draw where many are within the limits.

    Raises:
        StorageError: That file cannot be read.
    """
    designs = Designs(space, limits, device)
    if space.count() <= LISTED:
        designs.add_listed(seed=seed)
    else:
        designs.add_screened(folder / SCREENED)
    return designs


def distances(axes: Iterable[Axis]) -> tuple[Floats, ...]:
    """Per axis with L labels, their squared distances, 0 to 1, and a last row for "does not apply": (L + 1, L + 1).

    Numbers lie on a line in their order, at equal steps; sets of numbers differ by the share of members that they do
    not have in common; any two other labels are 1 apart.
    """
    return tuple(_distances(list(axis.choices.values())) for axis in axes)


def _distances(values: Sequence[Any]) -> Floats:
    if _are_sets(values):
        points = _memberships(values)
    elif all(_is_numeric(value) for value in values):
        points = _ranks(values)
    else:
        points = np.eye(len(values)) / np.sqrt(2)
    table = np.ones((len(values) + 1, len(values) + 1))
    table[-1, -1] = 0
    table[:-1, :-1] = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    return table


def _are_sets(values: Sequence[Any]) -> bool:
    """Whether most values are several different numbers in ascending order, such as the injected scales."""
    rising = [isinstance(value, tuple) and len(value) > 1 and list(value) == sorted(set(value)) for value in values]
    return all(isinstance(value, tuple) for value in values) and 2 * sum(rising) > len(values)


def _is_numeric(value: Any) -> bool:
    numbers = value if isinstance(value, tuple) else (value,)
    return all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)


def _memberships(values: Sequence[tuple[Any, ...]]) -> Floats:
    universe = sorted({member for value in values for member in value})
    shared = [[member in value for member in universe] for value in values]
    return np.asarray(np.array(shared) / np.sqrt(len(universe)), dtype=np.float64)


def _ranks(values: Sequence[Any]) -> Floats:
    """A pattern of numbers, such as the kernels of the rows of a stage, ranks by its mean."""
    means = [sum(value) / len(value) if isinstance(value, tuple) else value for value in values]
    ranks = np.unique(means, return_inverse=True)[1]
    return np.asarray(ranks[:, None] / max(1, ranks.max()), dtype=np.float64)
