"""The operations and the exact cost of a design, in closed form: nothing is built, torch is not needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from search_space.candidate import Candidate
from search_space.cost.parts import GROUPS, Part, group, layout, quantities, steps
from search_space.operations.operation import Operation
from topformer.design import SCALES, Design, Pooled


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one part of a network contributes to a cost; fields as in `Cost`."""

    parameters: int
    macs: int
    macs_conv_matmul: int
    macs_paper_convention: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a design asks of a device for one image; every number is exact.

    Attributes:
        parameters: Trainable numbers.
        macs: Multiply-accumulates as fvcore 0.1.5 counts them (`search_space.cost.conventions.macs_fvcore`).
        macs_conv_matmul: Those of convolutions and matrix products alone.
        macs_paper_convention: As in the figures of the TopFormer paper (`macs_paper`).
        peak_activation_bytes: Largest sum of live fp32 activations (`peak_activation_bytes`).
        by_module: Part, one of `pyramid`, `extractor`, `injection` and `head`, to its share; shares add up to the
            totals, but for the peak, which no part owns.
    """

    parameters: int
    macs: int
    macs_conv_matmul: int
    macs_paper_convention: int
    peak_activation_bytes: int
    by_module: Mapping[str, Share]


def cost(candidate: Candidate) -> Cost:
    """What the candidate costs at its input size, in all and by part."""
    plan = layout(candidate.design, candidate.height, candidate.width)
    per_part = [quantities(part) for part in plan.parts]
    columns: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in GROUPS}
    for part, values in zip(plan.parts, per_part, strict=True):
        columns[group(part)] = [a + b for a, b in zip(columns[group(part)], values[:4], strict=True)]
    totals = [sum(column) for column in zip(*columns.values(), strict=True)]
    return Cost(
        parameters=totals[0],
        macs=totals[1],
        macs_conv_matmul=totals[2],
        macs_paper_convention=totals[3],
        peak_activation_bytes=max(
            values.peak_activation_bytes + held for values, held in zip(per_part, plan.held, strict=True)
        ),
        by_module=MappingProxyType({name: _share(column) for name, column in columns.items()}),
    )


def _share(column: Sequence[int]) -> Share:
    parameters, macs, macs_conv_matmul, macs_paper_convention = column
    return Share(
        parameters=parameters,
        macs=macs,
        macs_conv_matmul=macs_conv_matmul,
        macs_paper_convention=macs_paper_convention,
    )


def operations(design: Design, height: int, width: int) -> tuple[Operation, ...]:
    """Every step of the forward pass on one image, in order of execution.

    The same tuples as `search_space.operations.walk.walk` gives for the built network; see
    `search_space.operations.operation` for their conventions.
    """
    writer = _Writer()
    parts = iter(layout(design, height, width).parts)
    x = writer.add(next(parts), "backbone.pyramid.stem", 0)
    outputs = []
    for index in range(len(design.rows)):
        x = writer.add(next(parts), f"backbone.pyramid.rows.{index}", x)
        outputs.append(x)
    tokens = [outputs[tap] for tap in design.taps]
    x = writer.add(next(parts), "backbone", *(tokens if design.pooled is Pooled.ALL else tokens[-1:]))
    # What is left: the extractor's parts, one injection per scale, and the head.
    rest = list(parts)
    injections, extractors = rest[-1 - len(design.injected) : -1], rest[: -1 - len(design.injected)]
    for index, part in enumerate(extractors):
        below = f".blocks.{index}" if design.has_blocks else ""
        x = writer.add(part, f"backbone.extractor{below}", x)
    scales = [
        writer.add(part, f"backbone.injection.scales.{index}", tokens[SCALES.index(reduction)], x)
        for index, (part, reduction) in enumerate(zip(injections, design.injected, strict=True))
    ]
    writer.add(rest[-1], "head", *scales)
    return tuple(writer.operations)


class _Writer:
    """Joins parts to one list: their modules get the path of the part, their tensors numbers of the network."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(self, part: Part, module: str, *inputs: int) -> int:
        """Appends the steps of the part, which reads the tensors `inputs`; gives the number that it writes last."""
        # Inside a part, inputs come first and step i writes the i-th number after them.
        offset = len(self.operations) + 1 - len(inputs)
        for step in steps(part):
            path = f"{module}.{step.module}" if step.module else module
            reads = tuple(inputs[number] if number < len(inputs) else number + offset for number in step.reads)
            self.operations.append(step._replace(module=path, reads=reads, writes=step.writes + offset))
        return len(self.operations)
