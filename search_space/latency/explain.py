"""Where the milliseconds of a candidate go: every boundary, every part, every kind of kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from types import MappingProxyType
from typing import Any

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost, operations
from search_space.latency.estimate import LatencyEstimate
from search_space.latency.kernels import kernels
from search_space.latency.model import DeviceModel, part_of
from topformer.deployment.boundary import Boundary


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLatency:
    """One part of the network, up to the logits.

    Attributes:
        parameters: Trainable numbers.
        macs_conv_matmul: Multiply-accumulates of convolutions and matrix products.
        milliseconds: Predicted.
        by_kernel: Kind of kernel to its milliseconds; they add up to those of the part.
    """

    parameters: int
    macs_conv_matmul: int
    milliseconds: float
    by_kernel: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Where the milliseconds go.

    Attributes:
        candidate: The network and its size.
        boundaries: The estimate of the graph that ends there.
        parts: `pyramid`, `extractor`, `injection`, `head`: what each contributes up to the logits.
    """

    candidate: Candidate
    boundaries: Mapping[Boundary, LatencyEstimate]
    parts: Mapping[str, PartLatency]

    @property
    def kernels(self) -> dict[str, float]:
        """Kind of kernel to its milliseconds up to the logits, the slowest first."""
        by_kernel = self.boundaries[Boundary.LOGITS].by_kernel
        return dict(sorted(by_kernel.items(), key=lambda item: -item[1]))

    def shares(self) -> dict[str, dict[str, float]]:
        """Quantity (`parameters`, `macs_conv_matmul`, `milliseconds`) to the share of each part."""
        return {
            name: _normed({part: float(getattr(share, name)) for part, share in self.parts.items()})
            for name in ("parameters", "macs_conv_matmul", "milliseconds")
        }

    def render(self) -> str:
        """As text: the boundaries, then a table of kinds of kernels by part."""
        return "\n".join([*_boundary_lines(self.boundaries), "", *_kernel_lines(self)])

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "candidate": self.candidate.fingerprint,
            "boundaries": {end.value: estimate.to_json() for end, estimate in self.boundaries.items()},
            "parts": {
                name: {
                    "parameters": part.parameters,
                    "macs_conv_matmul": part.macs_conv_matmul,
                    "milliseconds": part.milliseconds,
                    "by_kernel": dict(part.by_kernel),
                }
                for name, part in self.parts.items()
            },
        }


def explain(model: DeviceModel, candidate: Candidate) -> Explanation:
    """Explains the latency of a candidate on a device."""
    graph = kernels(operations(candidate.design, candidate.height, candidate.width))
    by_part: dict[str, dict[str, float]] = {}
    for kernel, time in zip(graph, model.times(graph).tolist(), strict=True):
        times = by_part.setdefault(part_of(kernel.module), {})
        times[kernel.name] = times.get(kernel.name, 0.0) + time
    shares = cost(candidate).by_module
    return Explanation(
        candidate=candidate,
        boundaries=MappingProxyType({end: model.estimate(candidate, boundary=end) for end in Boundary}),
        parts=MappingProxyType(
            {
                name: PartLatency(
                    parameters=shares[name].parameters,
                    macs_conv_matmul=shares[name].macs_conv_matmul,
                    milliseconds=sum(times.values()),
                    by_kernel=MappingProxyType(times),
                )
                for name, times in by_part.items()
            }
        ),
    )


def _normed(values: Mapping[str, float]) -> dict[str, float]:
    total = sum(values.values())
    return {name: value / total for name, value in values.items()}


_BOUNDARY = 41
"""Characters of a line that say where a graph ends, so that a table takes no more than 80."""


def _boundary_lines(boundaries: Mapping[Boundary, LatencyEstimate]) -> list[str]:
    lines = [f"{'graph ends at':<{_BOUNDARY}} {'ms':>8}  95 % interval     coverage"]
    for estimate in boundaries.values():
        span = f"{estimate.low:.2f} to {estimate.high:.2f}"
        first, *rest = wrap(estimate.boundary, _BOUNDARY, subsequent_indent="  ")
        lines.append(f"{first:<{_BOUNDARY}} {estimate.milliseconds:>8.2f}  {span:<17} {estimate.coverage:>8.0%}")
        lines += rest
    notes = dict.fromkeys(note for estimate in boundaries.values() for note in estimate.notes)
    return [*lines, *(f"note: {note}" for note in notes)]


def _kernel_lines(explanation: Explanation) -> list[str]:
    total = sum(part.milliseconds for part in explanation.parts.values())
    lines = [_row("milliseconds", [*explanation.parts, "all", "share"])]
    for kernel, time in explanation.kernels.items():
        cells = [part.by_kernel.get(kernel) for part in explanation.parts.values()]
        lines.append(_row(kernel, ["" if cell is None else f"{cell:.2f}" for cell in cells], time, total))
    lines.append(_row("all", [f"{part.milliseconds:.2f}" for part in explanation.parts.values()], total, total))
    names = {"milliseconds": "share of ms", "macs_conv_matmul": "share of MACs", "parameters": "share of parameters"}
    shares = explanation.shares()
    lines += [_row(text, [f"{share:.1%}" for share in shares[name].values()]) for name, text in names.items()]
    return lines


def _row(name: str, cells: Sequence[str], time: float | None = None, total: float = 1.0) -> str:
    ends = [] if time is None else [f"{time:.2f}", f"{time / total:.1%}"]
    return "".join([f"{name:<22}", *(f"{cell:>11}" for cell in (*cells, *ends))])
