"""The latency model of one device: milliseconds, an interval, and what they stand on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log, prod
from types import MappingProxyType

import numpy as np

from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.cost.operation import Operation, Shape
from search_space.cost.table import features
from search_space.latency.estimate import Boundary, LatencyEstimate, LatencyTable
from search_space.latency.kernels import BYTES, Kernel, Load, Loader, kernels
from search_space.latency.spread import Floats, Spread, interval
from topformer.errors import InputError, unknown_name

SHOWN_SHARE = 0.005
"""A kernel that takes less of the time is not named in a note."""

FARTHEST = log(1e6)
"""A network without any convolution is infinitely far on a log scale; a factor of a million is wide enough."""

ARGMAX = "resize+argmax"
"""Name of the kernel, and of the part of the network, that turns logits into the class of every pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a device was measured.

    Attributes:
        name: Name of the device, such as `snapdragon-865`.
        chip: System on chip.
        core: Which core ran.
        threads: Number of threads.
        runtime: Inference engine.
        precision: Number format, and how it is known.
        protocol: What is known of the measurement.
        source: Where the times come from.
        argmax_ns: Nanoseconds per number of the full-size logits for the last resize and argmax, if known.
        argmax_source: Where that comes from.
    """

    name: str
    chip: str
    core: str
    threads: int
    runtime: str
    precision: str
    protocol: str
    source: str
    argmax_ns: float = 0.0
    argmax_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A measured network against the model.

    Attributes:
        name: The network.
        measured_ms: The measured latency.
        predicted_ms: What the model predicts.
        left_out_ms: What a model predicts that was fitted without this row; for a row that is not fitted, the same
            as `predicted_ms`.
        coverage: Share of the predicted time in kernels that the fitted networks had.
    """

    name: str
    measured_ms: float
    predicted_ms: float
    left_out_ms: float
    coverage: float

    @property
    def error(self) -> float:
        """Relative error of the prediction that did not see the row."""
        return self.left_out_ms / self.measured_ms - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceModel:
    """A fitted device: time is a rate times the work plus a rate times the bytes moved.

    Attributes:
        setup: How it was measured.
        ms_per_gmac: Milliseconds per 1e9 MACs of a matrix product.
        ms_per_gb: Milliseconds per 1e9 bytes.
        measured: Kernel names of the fitted networks, each with the numbers in its largest output.
        ranges: Lowest and highest log of work, of bytes and of work per byte among the fitted networks.
        spread: How far predictions may be off.
        rows: The fitted networks.
        others: Networks of the same device that are not fitted, and tell how far others than TopFormer are off.
    """

    setup: Setup
    ms_per_gmac: float
    ms_per_gb: float
    measured: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[float, float], ...]
    spread: Spread
    rows: tuple[Checked, ...]
    others: tuple[Checked, ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of the device."""
        return self.setup.name

    @property
    def left_out_mean(self) -> float:
        """Mean relative error of the fitted networks, each predicted by a fit without it."""
        return float(np.mean([abs(row.error) for row in self.rows]))

    @property
    def left_out_max(self) -> float:
        """Largest such error."""
        return max(abs(row.error) for row in self.rows)

    @property
    def loader(self) -> Loader:
        """Folds operations to the loads that this model times."""
        return _loader(self.measured)

    def estimate(
        self, network: Candidate | Sequence[Operation], *, boundary: Boundary | str = Boundary.LOGITS
    ) -> LatencyEstimate:
        """The latency of a candidate, or of any list of operations, such as the walk of an nn.Module.

        Raises:
            InputError: There are no operations, or the boundary is not known.
        """
        end = _boundary(boundary)
        steps = operations(network.design, network.height, network.width) if isinstance(network, Candidate) else network
        if not steps:
            raise InputError("a network must have at least one operation, got none")
        found = kernels(steps)
        distance = float(self._distance(np.array([self.loader.load(found)]))[0])
        if end is Boundary.ARGMAX:
            found.append(_argmax(_full_size(steps)))
        times = np.array([self._time(kernel) for kernel in found])
        known = np.array([self.loader.is_measured(kernel) for kernel in found])
        total = float(times.sum())
        uncovered = float(times[~known].sum()) / total
        sd_log = self.spread.sd_log(np.array(uncovered), np.array(distance))
        low, high = interval(np.array(total), sd_log, self.spread.degrees)
        unknown = tuple(sorted({kernel.name for kernel in found if not kernel.ruled}))
        strange = _sums((kernel.name for kernel in found), np.where(known, 0.0, times / total))
        return LatencyEstimate(
            milliseconds=total,
            low=float(low),
            high=float(high),
            coverage=1 - uncovered,
            by_module=MappingProxyType(_sums((part_of(kernel.module) for kernel in found), times)),
            boundary=_boundary_text(steps, end),
            device=self.name,
            unknown=unknown,
            notes=(*_unmeasured_notes(unknown, strange), *self._reach_notes(distance), *self._argmax_notes(end)),
            sd_log=float(sd_log),
            degrees=self.spread.degrees,
        )

    def _time(self, kernel: Kernel) -> float:
        """Milliseconds of a kernel: what its arithmetic and its bytes take, one after the other."""
        plain = (self.ms_per_gmac * kernel.work + self.ms_per_gb * kernel.moved) / 1e9
        return max(plain, self.setup.argmax_ns * kernel.largest / 1e6) if kernel.name == ARGMAX else plain

    def estimate_many(self, candidates: Sequence[Candidate]) -> LatencyTable:
        """The latencies of all candidates up to their logits, equal to `estimate` of each."""
        loads = features(candidates, self.loader) if candidates else np.zeros((0, len(Load._fields)))
        milliseconds = loads[:, :2] @ self._rates
        uncovered = loads[:, 2:] @ self._rates / milliseconds
        sd_log = self.spread.sd_log(uncovered, self._distance(loads))
        low, high = interval(milliseconds, sd_log, self.spread.degrees)
        return LatencyTable(
            milliseconds=milliseconds,
            low=low,
            high=high,
            coverage=1 - uncovered,
            sd_log=sd_log,
            degrees=self.spread.degrees,
        )

    @property
    def _rates(self) -> Floats:
        return np.array([self.ms_per_gmac, self.ms_per_gb]) / 1e9

    def _distance(self, loads: Floats) -> Floats:
        """Log distance of each load from the range of the fitted networks, 0 within."""
        return outside(coordinates(loads), np.array(self.ranges))

    def _reach_notes(self, distance: float) -> list[str]:
        if not distance:
            return []
        times = sorted(row.measured_ms for row in self.rows)
        return [
            f"extrapolated: work or bytes, or their ratio, are {exp(distance):.2g} times outside those of the measured "
            f"networks ({times[0]:g} to {times[-1]:g} ms); the interval is widened"
        ]

    def _argmax_notes(self, end: Boundary) -> list[str]:
        if end is not Boundary.ARGMAX or not self.setup.argmax_source:
            return []
        rate = f"{self.setup.argmax_ns:g} ns per number"
        return [f"the final resize and argmax are charged {rate}, {self.setup.argmax_source}"]

    def describe(self) -> list[str]:
        """What the model is, in lines of text: protocol, coefficients, fitted rows and their errors."""
        setup = self.setup
        return [
            f"{setup.name}: error of predicting its {len(self.rows)} measured networks, each left out of the fit: "
            f"mean {self.left_out_mean:.1%}, largest {self.left_out_max:.1%}",
            f"device: {setup.chip}, {setup.core}, threads: {setup.threads}",
            f"engine: {setup.runtime}, {setup.precision}",
            f"protocol: {setup.protocol}",
            f"source: {setup.source}",
            f"model: {self.ms_per_gmac:.1f} ms per GMAC + {self.ms_per_gb:.1f} ms per GB moved",
            *(f"  fitted: {_row_text(row)} when left out ({row.error:+.1%})" for row in self.rows),
            *(f"  not fitted: {_row_text(row)} ({row.error:+.1%}), coverage {row.coverage:.0%}" for row in self.others),
            f"interval: 95 %, Student t of the logarithm, {self.spread.degrees} degrees of freedom, from the errors",
            "  when left out; wider where kernels were never measured and outside the measured range",
        ]


def _row_text(row: Checked) -> str:
    return f"{row.name} measured {row.measured_ms:g} ms, predicted {row.left_out_ms:.1f} ms"


@lru_cache(maxsize=64)
def _loader(measured: tuple[tuple[str, int], ...]) -> Loader:
    """The one loader of that list, so that what it folded is remembered."""
    return Loader(measured)


def coordinates(loads: Floats) -> Floats:
    """Log of work, of bytes and of work per byte, (N, 3), of loads (N, 4): what a fit has a range of."""
    with np.errstate(divide="ignore"):
        work, moved = np.log(loads[:, 0]), np.log(loads[:, 1])
    return np.stack([work, moved, work - moved], axis=1)


def outside(points: Floats, ranges: Floats) -> Floats:
    """Largest distance of each point (N, 3) from the ranges (3, 2), 0 within all of them."""
    excess = np.maximum(ranges[:, 0] - points, points - ranges[:, 1])
    farthest: Floats = np.clip(excess, 0, FARTHEST).max(axis=1)
    return farthest


def part_of(module: str) -> str:
    """The part of a network that a module belongs to: for TopFormer pyramid, extractor, injection or head."""
    names = module.split(".")
    part = names[1] if names[0] == "backbone" and len(names) > 1 else names[0]
    return {"": "network", "pool": "extractor", "widen": "extractor"}.get(part, part)


def _sums(names: Iterable[str], values: Floats) -> dict[str, float]:
    """Values added up by name, in the order of their first appearance."""
    found: dict[str, float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        found[name] = found.get(name, 0.0) + value
    return found


def _unmeasured_notes(unknown: Sequence[str], shares: Mapping[str, float]) -> list[str]:
    notes = []
    if unknown:
        notes.append(f"no rule for {', '.join(unknown)}: charged for the bytes moved, which is the least it can take")
    shown = sorted((-share, name) for name, share in shares.items() if share >= SHOWN_SHARE)
    if shown:
        listed = ", ".join(f"{name} {-share:.0%}" for share, name in shown)
        notes.append(f"never measured on this device, share of the predicted time: {listed}; the interval is widened")
    return notes


def _boundary(name: Boundary | str) -> Boundary:
    try:
        return Boundary(name)
    except ValueError:
        raise InputError(unknown_name("boundary", name, [member.value for member in Boundary])) from None


def _boundary_text(steps: Sequence[Operation], end: Boundary) -> str:
    if end is Boundary.ARGMAX:
        return "class of every pixel: logits resized to the image, and argmax"
    image, output = _image(steps), steps[-1].output
    if len(image) == len(output) == 4 and image[2] > output[2]:
        return f"logits at 1/{round(image[2] / output[2])}, no final resize or argmax"
    return f"output of shape {'x'.join(map(str, output))}, nothing after it"


def _image(steps: Sequence[Operation]) -> Shape:
    return next((step.inputs[step.reads.index(0)] for step in steps if 0 in step.reads), ())


def _full_size(steps: Sequence[Operation]) -> Shape:
    """Shape of the logits at the size of the image."""
    image, output = _image(steps), steps[-1].output
    if len(image) != 4 or len(output) != 4:
        raise InputError(f"the boundary argmax needs an image and logits of 4 dimensions, got {image} and {output}")
    return (*output[:2], *image[2:])


def _argmax(logits: Shape) -> Kernel:
    """Resize and argmax: the full-size logits are written once and read once, and one number is kept per pixel."""
    numbers = prod(logits)
    return Kernel(ARGMAX, ARGMAX, 0, BYTES * (2 * numbers + numbers // logits[1]), numbers)
