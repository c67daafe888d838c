"""Two designs side by side: what they cost, where their milliseconds go, and in what they differ."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from analysis.results.design_words import Difference, differences, in_words
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.latency.model import DeviceModel

_SCALED = {"parameters": ("parameters (M)", 1e-6), "macs": ("GMACs", 1e-9), "memory": ("activations (MiB)", 2**-20)}
"""Quantity to its heading and the factor of a shown number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two designs.

    Attributes:
        name: As it was named.
        fingerprint: Of the design and its input size.
        words: What it is.
        parameters: Trainable numbers.
        macs: Multiply-accumulates.
        memory: Peak of the activations in bytes, at fp32.
        latency_ms: Predicted milliseconds up to the logits.
        low: Lower end of their 95 % interval.
        high: Upper end.
        parts: Part of the network to its milliseconds.
    """

    name: str
    fingerprint: str
    words: str
    parameters: int
    macs: int
    memory: int
    latency_ms: float
    low: float
    high: float
    parts: dict[str, float]

    @classmethod
    def of(cls, name: str, candidate: Candidate, model: DeviceModel) -> "Side":
        """A candidate with its costs, and its latency on a device."""
        counted, estimate = cost(candidate), model.estimate(candidate)
        return cls(
            name=name,
            fingerprint=candidate.fingerprint,
            words=in_words(candidate.design),
            parameters=counted.parameters,
            macs=counted.macs,
            memory=counted.peak_activation_bytes,
            latency_ms=estimate.milliseconds,
            low=estimate.low,
            high=estimate.high,
            parts=dict(estimate.by_module),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignComparison:
    """Two designs at one input size on one device.

    Attributes:
        device: The device of the latencies.
        size: Input height and width in pixels.
        first: One design.
        second: The other.
        differences: The properties in which they differ.
    """

    device: str
    size: tuple[int, int]
    first: Side
    second: Side
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "device": self.device,
            "height": self.size[0],
            "width": self.size[1],
            "first": asdict(self.first),
            "second": asdict(self.second),
            "differences": [each._asdict() for each in self.differences],
        }

    def render(self) -> str:
        """As text of 80 columns, but for the properties, which are as long as they are."""
        return "\n".join([*self._costs(), "", *self._changes()])

    def _costs(self) -> Iterator[str]:
        one, other = self.first, self.second
        yield f"A  {one.name}  ({one.fingerprint}): {one.words}"
        yield f"B  {other.name}  ({other.fingerprint}): {other.words}"
        yield ""
        yield f"{'':<26} {'A':>12} {'B':>12} {'B / A':>9}"
        for name, (heading, scale) in _SCALED.items():
            yield _row(heading, scale * getattr(one, name), scale * getattr(other, name))
        yield _row(f"ms on {self.device}"[:26], one.latency_ms, other.latency_ms)
        yield f"{'  95 % interval':<26} {_span(one):>12} {_span(other):>12}"
        for part, milliseconds in one.parts.items():
            yield _row(f"  {part}", milliseconds, other.parts.get(part, 0.0))
        yield "An error of the device's model is largely common to both: their ratio is surer than their"
        yield "intervals."

    def _changes(self) -> Iterator[str]:
        if not self.differences:
            yield "both build the same network"
        for each in self.differences:
            yield f"{each.name:<12}  A: {each.first}"
            yield f"{'':<12}  B: {each.second}"


def compare_designs(
    first: tuple[str, Candidate], second: tuple[str, Candidate], model: DeviceModel
) -> DesignComparison:
    """Compare two designs, each with the name that it goes by, at the input size of the first."""
    return DesignComparison(
        device=model.name,
        size=(first[1].height, first[1].width),
        first=Side.of(*first, model),
        second=Side.of(*second, model),
        differences=tuple(differences(first[1].design, second[1].design)),
    )


def _row(heading: str, one: float, other: float) -> str:
    ratio = f"{other / one:>9.2f}" if one else ""
    return f"{heading:<26} {one:>12.3f} {other:>12.3f} {ratio}".rstrip()


def _span(side: Side) -> str:
    return f"{side.low:.4g}-{side.high:.4g}"
