"""The latency model of one device: milliseconds, an interval, and what they stand on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from types import MappingProxyType

import numpy as np

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.cost.table import sums
from search_space.latency.boundary import (
    ARGMAX,
    COARSE,
    boundary_named,
    boundary_text,
    candidate_ending,
    images,
    kernels_beyond_logits,
)
from search_space.latency.coefficients import FEATURE_COUNT, Coefficients
from search_space.latency.estimate import LatencyEstimate, LatencyTable
from search_space.latency.features import FeatureExtractor, coordinates, kernel_features, outside
from search_space.latency.joint_error import directions, shared_and_own
from search_space.latency.kernels import Kernel, kernels
from search_space.latency.notes import argmax_notes, batch_notes, extrapolation_notes, unmeasured_notes
from search_space.latency.predictive_spread import Floats, PredictiveSpread, interval
from search_space.operations.operation import FP32, Operation
from topformer.bounds import NOT_NEGATIVE, WORKERS
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError
from topformer.kinds import Choice, Text
from topformer.presets import TINY
from topformer.schema import key


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a device was measured: its file `device.toml`, and its name, which is that of the folder."""

    name: str = ""
    chip: str = field(metadata=key(Text(), "System on chip."))
    core: str = field(metadata=key(Text(), "Which core ran."))
    threads: int = field(metadata=key(WORKERS, "Number of threads."))
    runtime: str = field(metadata=key(Text(), "Inference engine."))
    precision: str = field(metadata=key(Text(), "Number format, and how it is known."))
    protocol: str = field(metadata=key(Text(), "What is known of the measurement."))
    source: str = field(metadata=key(Text(), "Where the times come from."))
    clock_mhz: float = field(default=0.0, metadata=key(NOT_NEGATIVE, "Highest clock of the core, if it is known."))
    boundary: str = field(
        default=Boundary.LOGITS.value, metadata=key(Choice([one.value for one in Boundary]), "Where timed graphs end.")
    )
    argmax_ns: float = field(
        default=0.0,
        metadata=key(NOT_NEGATIVE, "Nanoseconds per number of the full-size logits for the last resize and argmax."),
    )
    argmax_source: str = field(default="", metadata=key(Text(), "Where that comes from."))

    @property
    def clock(self) -> str:
        """The clock in words."""
        return f"{self.clock_mhz:g} MHz" if self.clock_mhz else "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRow:
    """A measured network, and what fits with and without it predict.

    Attributes:
        name: The network.
        measured_ms: The measured latency.
        predicted_ms: What the model predicts.
        left_out_ms: What a model predicts that was fitted without this row.
        coverage: Share of the predicted time in kernels that the fitted networks had.
        family: Networks of one construction.
        family_out_ms: What a model predicts that was fitted without this row's family; None where the rows are of
            too few families.
        macs: Multiply-accumulates.
    """

    name: str
    measured_ms: float
    predicted_ms: float
    left_out_ms: float
    coverage: float
    family: str = ""
    family_out_ms: float | None = None
    macs: int = 0

    @property
    def error(self) -> float:
        """Relative error of the prediction that did not see the row."""
        return self.left_out_ms / self.measured_ms - 1

    @property
    def family_error(self) -> float | None:
        """Relative error of the prediction that did not see the row's family."""
        return None if self.family_out_ms is None else self.family_out_ms / self.measured_ms - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceModel:
    """A fitted device: the time of a network is the sum of its features, each times a coefficient.

    Attributes:
        setup: How it was measured.
        coefficients: What a unit of each feature costs.
        measured: Kernel names of the fitted networks, each with the numbers in its largest output.
        ranges: Lowest and highest log of work, of bytes and of work per byte among the fitted networks.
        spread: How far predictions may be off.
        rows: The fitted networks.
        others: Networks of the same device that are not of its family: they count little in the fit, and tell how far
            other networks than TopFormer are off.
        leaned_on: Known devices that the coefficients are a mean of, each with its share; empty where they are fitted
            or scaled.
    """

    setup: Setup
    coefficients: Coefficients
    measured: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[float, float], ...]
    spread: PredictiveSpread
    rows: tuple[LeftOutRow, ...]
    others: tuple[LeftOutRow, ...] = field(default=())
    leaned_on: tuple[tuple[str, float], ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of the device."""
        return self.setup.name

    @property
    def ms_per_gmac(self) -> float:
        """Milliseconds per 1e9 MACs of a matrix product."""
        return self.coefficients.ms_per_gmac

    @property
    def ms_per_gb(self) -> float:
        """Milliseconds per 1e9 bytes that convolutions and matrix products move."""
        return self.coefficients.ms_per_gb

    @property
    def left_out_mean(self) -> float:
        """Mean relative error of the fitted networks, each predicted by a fit without it."""
        return float(np.mean([abs(row.error) for row in self.rows]))

    @property
    def left_out_max(self) -> float:
        """Largest such error."""
        return max(abs(row.error) for row in self.rows)

    @property
    def feature_extractor(self) -> FeatureExtractor:
        """Folds operations to the features that this model times."""
        return _feature_extractor(self.measured)

    def estimate(
        self, network: Candidate | Sequence[Operation], *, boundary: Boundary | str = Boundary.LOGITS
    ) -> LatencyEstimate:
        """The latency of a candidate, or of any list of operations, such as the walk of an nn.Module.

        Where there are operations without a rule the interval has no upper end.

        Raises:
            InputError: There are no operations, they compute in another format than fp32, or the boundary is not known.
        """
        end = boundary_named(boundary)
        steps = operations(network.design, network.height, network.width) if isinstance(network, Candidate) else network
        if not steps:
            raise InputError("a network must have at least one operation, got none")
        self._check_format(steps)
        batch = images(steps)
        graph = kernels(steps)
        # The range is that of graphs up to their logits, for the measured graphs end there.
        features = np.array([self.feature_extractor.of_kernels(graph)])
        ending = kernels_beyond_logits(steps, end)
        table = self.predict(features, self.times(ending) if ending else 0.0)
        graph.extend(ending)
        times = self.times(graph)
        covered = np.array([self.feature_extractor.is_measured(kernel) for kernel in graph])
        total = float(times.sum())
        unruled = {kernel.name: kernel.module for kernel in reversed(graph) if not kernel.ruled}
        unmeasured = _sums((kernel.name for kernel in graph), np.where(covered, 0.0, times / total))
        return LatencyEstimate(
            milliseconds=total,
            low=float(table.low[0]),
            high=inf if unruled else float(table.high[0]),
            coverage=float(table.coverage[0]),
            by_module=MappingProxyType(_sums((part_of(kernel.module) for kernel in graph), times)),
            by_kernel=MappingProxyType(_sums((kernel.name for kernel in graph), times)),
            boundary=boundary_text(steps, end),
            device=self.name,
            unknown=tuple(sorted(unruled)),
            notes=(
                *unmeasured_notes(unruled, unmeasured),
                *extrapolation_notes(float(self._distance(features)[0]), [row.measured_ms for row in self.rows]),
                *argmax_notes(end, self.setup.argmax_ns, self.setup.argmax_source),
                *batch_notes(batch),
            ),
            sd_log=float(table.sd_log[0]),
            degrees=self.spread.degrees,
            batch=batch,
            shared_sd=float(table.shared_sd[0]),
            own_sd=float(table.own_sd[0]),
        )

    def times(self, graph: Sequence[Kernel]) -> Floats:
        """Milliseconds of each kernel, (N,): its arithmetic, its bytes and its start, one after the other."""
        times: Floats = np.array([kernel_features(kernel) for kernel in graph]) @ self.coefficients.per_unit
        for index, kernel in enumerate(graph):
            if kernel.name in (ARGMAX, COARSE):
                times[index] = max(times[index], self.setup.argmax_ns * kernel.largest / 1e6)
        return times

    def estimate_many(
        self, candidates: Sequence[Candidate], *, boundary: Boundary | str = Boundary.LOGITS
    ) -> LatencyTable:
        """The latencies of all candidates, equal to `estimate` of each.

        Raises:
            InputError: The boundary is not known.
        """
        features = sums(candidates, self.feature_extractor) if candidates else np.zeros((0, 2 * FEATURE_COUNT))
        return self.predict(features, self.ending_ms(candidates, boundary_named(boundary)))

    def ending_ms(self, candidates: Sequence[Candidate], end: Boundary) -> Floats:
        """Milliseconds of each candidate between its logits and the boundary: (N,)."""
        if end is Boundary.LOGITS or not candidates:
            return np.zeros(len(candidates))
        return self.times([candidate_ending(candidate, end) for candidate in candidates])

    def predict(self, features: Floats, ending_ms: Floats | float = 0.0) -> LatencyTable:
        """The latencies of networks.

        Args:
            features: What `feature_extractor` gave: (N, 2 * FEATURE_COUNT).
            ending_ms: What comes after the logits, which no fitted network had: (N,), milliseconds.
        """
        per_unit = self.coefficients.per_unit
        milliseconds = features[:, :FEATURE_COUNT] @ per_unit + ending_ms
        uncovered = (features[:, FEATURE_COUNT:] @ per_unit + ending_ms) / milliseconds
        sd_log = self.spread.sd_log(uncovered, self._distance(features))
        low, high = interval(milliseconds, sd_log, self.spread.degrees)
        reference = self.directions(_reference(self.measured))[0]
        shared_sd, own_sd = shared_and_own(self.directions(features, ending_ms), reference, self.spread)
        return LatencyTable(
            milliseconds=milliseconds,
            low=low,
            high=high,
            coverage=1 - uncovered,
            sd_log=sd_log,
            degrees=self.spread.degrees,
            shared_sd=shared_sd,
            own_sd=own_sd,
        )

    def directions(self, features: Floats, ending_ms: Floats | float = 0.0) -> Floats:
        """What the error of each prediction is made of; arguments as of `predict`, rows as of `joint_error`."""
        per_unit = self.coefficients.per_unit
        uncovered = (features[:, FEATURE_COUNT:] @ per_unit + ending_ms) / (
            features[:, :FEATURE_COUNT] @ per_unit + ending_ms
        )
        variances = self.spread.variances(uncovered, self._distance(features))
        return directions(features, ending_ms, per_unit, variances)

    def _distance(self, features: Floats) -> Floats:
        """Log distance of each network from the range of the fitted networks, 0 within."""
        return outside(coordinates(features), np.array(self.ranges))

    def _check_format(self, steps: Sequence[Operation]) -> None:
        other = next((step for step in steps if step.dtype != FP32), None)
        if other is not None:
            raise InputError(
                f"a latency is known of fp32 networks alone, got {other.dtype} in {other.module or 'the network'}; "
                f"give it in fp32 (module.float()): {self.name} was timed with fp32 files, its engine computes in "
                f"{self.setup.precision}"
            )


@lru_cache(maxsize=64)
def _feature_extractor(measured: tuple[tuple[str, int], ...]) -> FeatureExtractor:
    """The one extractor of that list: costs are remembered by the identity of what folds them."""
    return FeatureExtractor(measured)


@lru_cache(maxsize=64)
def _reference(measured: tuple[tuple[str, int], ...]) -> Floats:
    """The features of the network that stands for all designs, (1, 2 * FEATURE_COUNT): Tiny at 512 x 512 pixels."""
    return sums([Candidate(design=TINY, height=512, width=512)], _feature_extractor(measured))


def part_of(module: str) -> str:
    """The part of a network that a module belongs to: for TopFormer pyramid, extractor, injection or head."""
    names = module.split(".")
    part = names[1] if names[0] == "backbone" and len(names) > 1 else names[0]
    return {"": "network", "pool": "extractor", "widen": "extractor"}.get(part, part)


def _sums(names: Iterable[str], values: Floats) -> dict[str, float]:
    """Values added up by name, in the order of their first appearance."""
    totals: dict[str, float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        totals[name] = totals.get(name, 0.0) + value
    return totals
