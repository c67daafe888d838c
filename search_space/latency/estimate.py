"""A predicted latency, of one network or of many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from search_space.latency.predictive_spread import Floats, probability_above


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyEstimate:
    """A predicted latency.

    Attributes:
        milliseconds: The prediction for one run: of `batch` images.
        low: Lower end of the 95 % interval.
        high: Upper end; infinite where there are operations without a rule.
        coverage: Share of the predicted time in kernels of kinds that the networks fitted on the device had, 0 to 1.
        by_module: Part of the network to its milliseconds; they add up to the prediction.
        by_kernel: Kind of kernel to its milliseconds; they add up to the prediction too.
        boundary: Where the timed graph ends, in words.
        device: Name of the device.
        unknown: Operations without a rule, by their names; each is charged for the bytes it moves.
        notes: What a reader should know: kernels never measured, extrapolation.
        sd_log: Scale of the Student t distribution of the logarithm.
        degrees: Its degrees of freedom.
        batch: Images of one run.
        shared_sd: Standard deviation of the log error that all designs on the device share.
        own_sd: That of the error of this design alone. As of normal distributions, the two together give the interval.
    """

    milliseconds: float
    low: float
    high: float
    coverage: float
    by_module: Mapping[str, float]
    boundary: str
    device: str
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sd_log: float
    degrees: int
    by_kernel: Mapping[str, float] = field(default_factory=dict)
    batch: int = 1
    shared_sd: float
    own_sd: float

    def probability_above(self, limit_ms: float) -> float:
        """Probability that the latency exceeds the limit; at least, where there are operations without a rule."""
        return float(probability_above(limit_ms, self.milliseconds, self.sd_log, self.degrees))

    def render(self) -> str:
        """As text: the prediction, what it stands on, and the share of every part."""
        parts = "\n".join(
            f"  {part:<14} {time:8.2f} ms {time / self.milliseconds:5.0%}" for part, time in self.by_module.items()
        )
        high = f"{self.high:.2f}" if isfinite(self.high) else "unknown above"
        at_most = "" if isfinite(self.high) else "at most "
        images = f" for {self.batch} images" if self.batch != 1 else ""
        return "\n".join(
            [
                f"{self.milliseconds:.2f} ms{images} on {self.device} (95 %: {self.low:.2f} to {high}), predicted",
                f"boundary: {self.boundary}",
                f"coverage: {at_most}{self.coverage:.0%} of the time is in kinds of kernels that the networks fitted "
                "on the device had",
                f"error: {self.shared_sd:.1%} shared by all designs on the device, {self.own_sd:.1%} of this one alone "
                "(standard deviations)",
                parts,
                *(f"note: {note}" for note in self.notes),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, without the parameters of Student's t; `high` is null where it is unknown."""
        return {
            "milliseconds": self.milliseconds,
            "low": self.low,
            "high": self.high if isfinite(self.high) else None,
            "shared_sd": self.shared_sd,
            "own_sd": self.own_sd,
            "coverage": self.coverage,
            "by_module": dict(self.by_module),
            "by_kernel": dict(self.by_kernel),
            "boundary": self.boundary,
            "batch": self.batch,
            "device": self.device,
            "unknown": list(self.unknown),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatencyTable:
    """Predicted latencies of many candidates; fields as in `LatencyEstimate`, the columns of shape (N,)."""

    milliseconds: Floats
    low: Floats
    high: Floats
    coverage: Floats
    sd_log: Floats
    degrees: int
    shared_sd: Floats
    own_sd: Floats

    def probability_above(self, limit_ms: float) -> Floats:
        """Probability that each latency exceeds the limit: (N,)."""
        return probability_above(limit_ms, self.milliseconds, self.sd_log, self.degrees)
