"""What a design costs, and whether that alone decides against it: nothing is built, torch is not needed."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from analysis.records.record import Metric
from analysis.records.screened import COSTS, SCREENED, WITHIN, Screened, read_screened
from experiments.search.definition import LATENCY, Limits, StudyDefinition
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.cost.table import costs
from search_space.latency.boundary import boundary_named, latency_name
from search_space.latency.calibration.devices import device
from search_space.latency.estimate import LatencyTable
from search_space.spaces.space import Space
from topformer.errors import RecordError, StorageError
from topformer.files import replacing

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is known of a design before anything is built.

    Attributes:
        metrics: Cost and latency, as a record keeps them.
        constraints: Limit to its violation: 0 or less where the design meets it.
        reason: The limits that it exceeds, in words; empty if none.
    """

    metrics: Mapping[str, Metric]
    constraints: Mapping[str, float]
    reason: str


class Screen:
    """The costs and limits of one study.

    Attributes:
        device: The model of the device; None where latency does not matter.
        latency_metric: Name of the latency in records, empty without a device.
        boundary: Where the timed graph ends.
    """

    def __init__(self, definition: StudyDefinition) -> None:
        """Load the device model.

        Raises:
            InputError: There is no such device.
        """
        self._limits, self._designs, self._seed = definition.limits, definition.consider, definition.seed
        self.boundary = boundary_named(definition.boundary)
        self.device = device(definition.device) if definition.device is not None else None
        self.latency_metric = latency_name(self.device.name, self.boundary) if self.device is not None else ""

    def assess(self, candidate: Candidate) -> Assessment:
        """Cost and latency of one candidate, against the limits."""
        counted = cost(candidate)
        exact = {name: getattr(counted, name) for name in ("macs", "parameters", "peak_activation_bytes")}
        metrics = {name: Metric(value=value, source="exact") for name, value in exact.items()}
        milliseconds = above = None
        if self.device is not None:
            # One row of the table for many: ten times faster than the estimate with its breakdown.
            table = self.device.estimate_many([candidate], boundary=self.boundary)
            milliseconds = float(table.milliseconds[0])
            metrics[self.latency_metric] = predicted(table, 0)
            if self._limits.latency_ms is not None:
                above = float(table.probability_above(self._limits.latency_ms)[0])
        numbers = {"macs": counted.macs, "parameters": counted.parameters}
        constraints = violations(self._limits, numbers, above)
        reason = reasons(self._limits, numbers, milliseconds, constraints)
        return Assessment(metrics=metrics, constraints=constraints, reason=reason)

    def explain(self, candidate: Candidate) -> dict[str, Any]:
        """Where the milliseconds go, and how much of them stands on measured kinds of kernels."""
        if self.device is None:
            return {}
        estimate = self.device.estimate(candidate, boundary=self.boundary)
        return {
            "latency_by_module": dict(estimate.by_module),
            "latency_coverage": estimate.coverage,
            "latency_notes": list(estimate.notes),
        }

    def screened(self, space: Space, folder: Path, note: Callable[[str], None]) -> Screened:
        """Cost the whole space, or a seeded sample of it, into `screened.csv`; once for a run folder.

        What an earlier process wrote is read instead, unless it is cut or the study now wants more designs.
        Columns: fingerprint, macs, parameters, latency_ms, low, high, meets (P(latency <= limit)), verdict, and one per
        axis. Within the limits is what may be trained: a latency that is met with a probability of alpha at least.

        Args:
            space: The designs.
            folder: The run folder.
            note: Told what was found, when the costs are worked out.

        Raises:
            StorageError: The disk does not take or give the file.
        """
        designs = min(space.count(), self._designs)
        if (earlier := _earlier(folder, note)) is not None and earlier.designs >= designs:
            return earlier
        fresh = self._write(space, folder / SCREENED, designs)
        within = f"{fresh.within:,} {within_text(self._limits)}"
        note(f"{fresh.designs:,} of {space.count():,} designs screened by cost, {within}")
        return fresh

    def _write(self, space: Space, path: Path, designs: int) -> Screened:
        chosen = iter(space) if designs == space.count() else iter(space.sample(self._seed, designs))
        columns = ["fingerprint", *COSTS, "low", "high", "meets", "verdict", *(axis.name for axis in space.axes)]
        try:
            with replacing(path) as fresh, fresh.open("w", newline="", encoding="ascii") as file:
                writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(self._rows(space, chosen))
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
        written = read_screened(path.parent)
        assert written is not None
        return written

    def _rows(self, space: Space, candidates: Iterator[Candidate]) -> Iterator[dict[str, Any]]:
        while chunk := list(islice(candidates, _CHUNK)):
            table = costs(chunk)
            latency = None
            if self.device is not None:
                latency = self.device.estimate_many(chunk, boundary=self.boundary)
            limit = self._limits.latency_ms
            above = latency.probability_above(limit) if latency is not None and limit is not None else None
            for i, candidate in enumerate(chunk):
                numbers = {"macs": int(table.macs[i]), "parameters": int(table.parameters[i])}
                row: dict[str, Any] = {"fingerprint": candidate.fingerprint, **numbers}
                if latency is not None:
                    row |= {LATENCY: float(latency.milliseconds[i])}
                    row |= {"low": float(latency.low[i]), "high": float(latency.high[i])}
                if above is not None:
                    row["meets"] = 1 - float(above[i])
                excesses = violations(self._limits, numbers, None if above is None else float(above[i]))
                row["verdict"] = ", ".join(f"{name} above limit" for name, by in excesses.items() if by > 0) or WITHIN
                yield {**row, **(space.labels_of(candidate) or {})}


def predicted(table: LatencyTable, index: int) -> Metric:
    """One latency of a table as a record keeps it."""
    return Metric(
        value=float(table.milliseconds[index]),
        source="predicted",
        low=float(table.low[index]),
        high=float(table.high[index]),
        shared_sd=float(table.shared_sd[index]),
        own_sd=float(table.own_sd[index]),
    )


def within_text(limits: Limits) -> str:
    """What it means that a design is within the limits of a study, in words."""
    if limits.latency_ms is None:
        return "within the limits"
    return f"within the limits (P(latency <= {limits.latency_ms:g} ms) at least {limits.alpha:g})"


def _earlier(folder: Path, note: Callable[[str], None]) -> Screened | None:
    try:
        return read_screened(folder)
    except RecordError as error:
        note(f"screened anew: {error}")
        return None


def violations(limits: Limits, numbers: Mapping[str, float], probability_above: float | None) -> dict[str, float]:
    """How far a design exceeds each limit that is set; 0 or less where it meets it.

    Args:
        limits: The limits.
        numbers: `macs` and `parameters`.
        probability_above: P(latency > limits.latency_ms), where that is limited.

    Returns:
        For a count its excess as a share of the limit; for the latency P(latency > limit) - (1 - alpha).
    """
    excesses = {}
    for name in ("macs", "parameters"):
        limit = getattr(limits, name)
        if limit is not None:
            excesses[name] = numbers[name] / limit - 1
    if probability_above is not None:
        excesses[LATENCY] = probability_above - (1 - limits.alpha)
    return excesses


def reasons(
    limits: Limits, numbers: Mapping[str, float], milliseconds: float | None, constraints: Mapping[str, float]
) -> str:
    """The exceeded limits in words; empty if there are none."""
    sentences = [
        f"{name} {numbers[name]:,.0f} exceed the limit of {getattr(limits, name):,.0f}"
        for name in ("macs", "parameters")
        if constraints.get(name, 0) > 0
    ]
    if constraints.get(LATENCY, 0) > 0:
        above = constraints[LATENCY] + 1 - limits.alpha
        sentences.append(
            f"latency {milliseconds:.3g} ms exceeds the limit of {limits.latency_ms:g} ms with probability {above:.3f}"
        )
    return "; ".join(sentences)
