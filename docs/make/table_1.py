"""Every network of the TopFormer paper's Table 1 that has a latency, rebuilt, beside the paper's figures.

python -m docs.make.table_1 docs/table-1.md
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from analysis.reference import PublishedPoint, published_points
from docs.make.baselines import BASELINES, baseline, helper_parameters
from search_space.cost.conventions import macs_paper
from search_space.latency.calibration.left_out import HeldOutPrediction, left_out
from search_space.latency.networks.segmentation import LRASPP, RASPP
from search_space.operations.operation import Operation
from search_space.operations.walk import walk
from topformer.network import TopFormer
from topformer.presets import preset

DEVICE = "snapdragon-865"

_RENAMED = {"HRNet-W18-Small HRNet-W18-Small": "HRNet-W18-Small"}

WITHIN = 0.03
"""Relative difference from the paper that needs no word."""

_TOPFORMERS = {
    "TopFormer-T @448": "tiny-dense",
    "TopFormer-T": "tiny-dense",
    "TopFormer-S": "small",
    "TopFormer-B": "base",
}

_DENSE = (
    "counted with the dense fuse convolution that the paper's figures follow, timed with the release's depthwise one"
)

EXPLAINED = {
    "R-ASPP MobileNetV2": "output stride 16, a 1x1 branch and a pooled one of 256 channels each",
    "LR-ASPP MobileNetV3-Large": "output stride 16; the paper prints 2.0, that is 1.95 to 2.05, and 2.063 are 0.6 % "
    "more",
    "LR-ASPP MobileNetV3-Large-reduce": "the last three blocks, also inside, and the last convolution have half the "
    "channels, as in the MobileNetV3 paper; the paper prints 1.6 M, that is 1.55 to 1.65, and 1.528 are 1.4 % less",
    "SegFormer MiT-B0": "the paper's FLOPs are those of SegFormer's authors, matrix products included",
    "TopFormer-T @448": _DENSE,
    "TopFormer-T": _DENSE,
}
"""Network to what its figures say of it, beside what `BASELINES` say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """One row.

    Attributes:
        published: What the paper prints.
        parameters: Trainable numbers of what runs.
        helper: Those of the auxiliary head, which runs in training alone.
        macs: Of convolutions and matrix products.
        macs_paper: As mmcv's counter has them: no product of two activations, 2 per normalised number, 1 per
            activation.
        told: The latency by a fit without the row.
    """

    published: PublishedPoint
    parameters: int
    helper: int
    macs: int
    macs_paper: int
    told: HeldOutPrediction

    @property
    def difference(self) -> float:
        """Of the MACs from the paper's, by the count that is nearer to it."""
        return min((count / 1e9 / self.published.gflops - 1 for count in (self.macs, self.macs_paper)), key=abs)

    @property
    def words(self) -> str:
        """What there is to say of the row."""
        recipe = BASELINES.get(self.published.name)
        return EXPLAINED.get(self.published.name, recipe.explained if recipe else "")


def rows() -> Iterator[Rebuilt]:
    """The rows in the order of the table; each is built and walked, which takes some seconds.

    The table has 19 rows; two, HR-NAS, have no latency.
    """
    told = {found.row.name: found for found in left_out(DEVICE)}
    for point in published_points("miou@ade20k", "latency_ms@snapdragon-865"):
        name = _RENAMED.get(point.name, point.name.replace(" @", " "))
        if name in told:
            yield _rebuilt(replace(point, name=_RENAMED.get(point.name, point.name)), told[name])


def _rebuilt(point: PublishedPoint, told: HeldOutPrediction) -> Rebuilt:
    network = _network(point.name)
    steps = walk(network, point.input, point.input)
    return Rebuilt(
        published=point,
        parameters=sum(weight.numel() for weight in network.parameters()),
        helper=helper_parameters(point.name) if point.name in BASELINES else 0,
        macs=sum(step.macs for step in steps),
        macs_paper=macs_of_mmcv(steps),
        told=told,
    )


def macs_of_mmcv(steps: Sequence[Operation]) -> int:
    """MACs as mmcv's counter has them, which counts linear layers too; TopFormer's networks have none."""
    return sum(step.macs for step in steps if step.name == "linear") + sum(map(macs_paper, steps))


def _network(name: str) -> nn.Module:
    if name in BASELINES:
        return baseline(name)
    if name in _TOPFORMERS:
        return TopFormer(preset(_TOPFORMERS[name]))
    return _PLAIN[name]()


_PLAIN: Mapping[str, Callable[[], nn.Module]] = {
    "R-ASPP MobileNetV2": RASPP,
    "LR-ASPP MobileNetV3-Large": LRASPP,
    "LR-ASPP MobileNetV3-Large-reduce": lambda: LRASPP(2),
}


def page(found: list[Rebuilt]) -> str:
    """The table in Markdown."""
    lines = [
        "# The networks of Table 1, rebuilt",
        "",
        "Written by `python -m docs.make.table_1 docs/table-1.md`; do not edit. The paper is TopFormer,",
        "Zhang et al., CVPR 2022. Parameters: of what runs, and with the auxiliary head that only trains, which the",
        "paper counts. MACs in G: of convolutions and matrix products, and as mmcv's counter has them (2 more per",
        "normalised number, 1 per activation, no product of two activations); the difference is that of the nearer",
        f"one. Latency: by the model of `{DEVICE}`, fitted without the row, with its 95 % interval; it ends at the",
        "logits as the head gives them.",
        "",
        "| network | params M | with aux. head | paper | MACs | mmcv's | paper | difference | ms | interval | paper "
        "| error |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *map(_line, found),
        "",
        *(f"- {row.published.name}: {row.words}." for row in found if row.words),
        "",
        f"MACs within {WITHIN:.0%} of the paper: {sum(abs(row.difference) <= WITHIN for row in found)} of {len(found)} "
        f"rows. Times in their interval: {sum(row.told.inside for row in found)} of {len(found)}.",
        "",
    ]
    return "\n".join(lines)


def _line(row: Rebuilt) -> str:
    paper, told = row.published, row.told
    return (
        f"| {paper.name} | {row.parameters / 1e6:.3f} | {(row.parameters + row.helper) / 1e6:.3f} "
        f"| {paper.parameters_m} "
        f"| {row.macs / 1e9:.3f} | {row.macs_paper / 1e9:.3f} | {paper.gflops} | {row.difference:+.1%} "
        f"| {told.milliseconds:.1f} | {told.low:.0f} to {told.high:.0f} | {paper.latency_ms:g} "
        f"| {told.error:+.1%} |"
    )


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the page to write")
    parser.parse_args().path.write_text(page(list(rows())), encoding="utf-8")


if __name__ == "__main__":
    main()
