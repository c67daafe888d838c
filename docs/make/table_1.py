"""Every network of the TopFormer paper's Table 1 that has a latency, rebuilt, beside the paper's figures.

python -m docs.make.table_1 docs/table-1.md
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from analysis.reference import PublishedPoint, published_points
from analysis.reports.text_table import TextTable, markdown
from docs.make.baselines import BASELINES, auxiliary_parameters, build_baseline
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
        auxiliary: Those of the auxiliary head, which runs in training alone.
        macs: Of convolutions and matrix products.
        macs_paper: As mmcv's counter has them: no product of two activations, 2 per normalised number, 1 per
            activation.
        latency: By a fit without the row.
    """

    published: PublishedPoint
    parameters: int
    auxiliary: int
    macs: int
    macs_paper: int
    latency: HeldOutPrediction

    @property
    def difference(self) -> float:
        """Of the MACs from the paper's, by the count that is nearer to it."""
        return min((count / 1e9 / self.published.gflops - 1 for count in (self.macs, self.macs_paper)), key=abs)

    @property
    def words(self) -> str:
        """What there is to say of the row."""
        baseline = BASELINES.get(self.published.name)
        return EXPLAINED.get(self.published.name, baseline.explained if baseline else "")


def rebuilt_networks() -> Iterator[Rebuilt]:
    """The rows in the order of the table; each is built and walked, which takes some seconds.

    The table has 19 rows; two, HR-NAS, have no latency.
    """
    latencies = {one.row.name: one for one in left_out(DEVICE)}
    for point in published_points("miou@ade20k", "latency_ms@snapdragon-865"):
        name = _RENAMED.get(point.name, point.name.replace(" @", " "))
        if name in latencies:
            yield _rebuilt(replace(point, name=_RENAMED.get(point.name, point.name)), latencies[name])


def _rebuilt(point: PublishedPoint, latency: HeldOutPrediction) -> Rebuilt:
    network = _network(point.name)
    steps = walk(network, point.input, point.input)
    return Rebuilt(
        published=point,
        parameters=sum(weight.numel() for weight in network.parameters()),
        auxiliary=auxiliary_parameters(point.name) if point.name in BASELINES else 0,
        macs=sum(step.macs for step in steps),
        macs_paper=macs_of_mmcv(steps),
        latency=latency,
    )


def macs_of_mmcv(steps: Sequence[Operation]) -> int:
    """MACs as mmcv's counter has them, which counts linear layers too; TopFormer's networks have none."""
    return sum(step.macs for step in steps if step.name == "linear") + sum(map(macs_paper, steps))


def _network(name: str) -> nn.Module:
    if name in BASELINES:
        return build_baseline(name)
    if name in _TOPFORMERS:
        return TopFormer(preset(_TOPFORMERS[name]))
    return _PLAIN[name]()


_PLAIN: Mapping[str, Callable[[], nn.Module]] = {
    "R-ASPP MobileNetV2": RASPP,
    "LR-ASPP MobileNetV3-Large": LRASPP,
    "LR-ASPP MobileNetV3-Large-reduce": lambda: LRASPP(2),
}


def comparison_page(networks: Sequence[Rebuilt]) -> str:
    """The table in Markdown, with what there is to say of its rows."""
    header = (
        "network", "params M", "with aux. head", "params M, paper", "MACs", "mmcv's", "MACs, paper", "difference", "ms",
        "interval", "ms, paper", "error",
    )  # fmt: skip
    table = markdown(TextTable.of("Table 1", header, map(_cells, networks)))
    words = "".join(f"- {one.published.name}: {one.words}.\n" for one in networks if one.words)
    near = sum(abs(one.difference) <= WITHIN for one in networks)
    inside = sum(one.latency.inside for one in networks)
    return "\n".join(
        [
            _INTRODUCTION,
            table,
            words,
            f"MACs within {WITHIN:.0%} of the paper: {near} of {len(networks)} rows. "
            f"Times in their interval: {inside} of {len(networks)}.\n",
        ]
    )


_INTRODUCTION = f"""# The networks of Table 1, rebuilt

Written by `python -m docs.make.table_1 docs/table-1.md`; do not edit. The paper is TopFormer,
Zhang et al., CVPR 2022. Parameters: of what runs, and with the auxiliary head that only trains, which the
paper counts. MACs in G: of convolutions and matrix products, and as mmcv's counter has them (2 more per
normalised number, 1 per activation, no product of two activations); the difference is that of the nearer
one. Latency: by the model of `{DEVICE}`, fitted without the row, with its 95 % interval; it ends at the
logits as the head gives them. All printed times are those of the paper. In the fit the thirteen networks that are
no TopFormer count as if they were known to 10 % only (`BESIDE`, a choice; [latency](latency.md) says what depends on
it). SeaFormer, of another paper, is in no fit; its times are those of Table 1 there (Wan et al., ICLR 2023), and the
figure of latencies in its authors' repository gives them to a tenth of a millisecond.
"""


def _cells(row: Rebuilt) -> tuple[str, ...]:
    paper, latency = row.published, row.latency
    return (
        paper.name,
        f"{row.parameters / 1e6:.3f}",
        f"{(row.parameters + row.auxiliary) / 1e6:.3f}",
        _printed(paper.parameters_m),
        f"{row.macs / 1e9:.3f}",
        f"{row.macs_paper / 1e9:.3f}",
        str(paper.gflops),
        f"{row.difference:+.1%}",
        f"{latency.milliseconds:.1f}",
        f"{latency.low:.0f} to {latency.high:.0f}",
        _printed(paper.latency_ms, "g"),
        f"{latency.error:+.1%}",
    )


def _printed(value: float | None, form: str = "") -> str:
    return "unknown" if value is None else f"{value:{form}}"


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the page to write")
    parser.parse_args().path.write_text(comparison_page(list(rebuilt_networks())), encoding="utf-8")


if __name__ == "__main__":
    main()
