"""An ablation table for the tests of this folder."""

from dataclasses import replace
from typing import Any

from analysis.records.record import Metric
from analysis.results.ablation import (
    Ablation,
    AblationRow,
    Claim,
    Evaluation,
    MeasuredRow,
    Published,
    table_statistics,
)
from analysis.results.effects import Direction


def exact(value: float) -> Metric:
    return Metric(value=value, source="exact")


def printed(value: float | None, source: str = "T") -> Published:
    return Published(value=value, source=source)


def measured(**scores: list[float]) -> dict[str, MeasuredRow]:
    return {
        name: MeasuredRow(fingerprint=f"{name}@128x128", scores=dict(enumerate(values)))
        for name, values in scores.items()
    }


def ablation(**changes: Any) -> Ablation:
    """Two rows and a baseline, of which one is unknown in the paper and all were measured."""
    claims = {"a|b": Direction.WORSE, "c_50%": None, "ours": None}
    scores = {"ours": [50.0, 52.0, 51.0], "a|b": [40.0, 42.5, 41.0], "c_50%": [50.5, 52.0, 51.2]}
    statistics = table_statistics(measured(**scores), claims, baseline="ours", similar_within=1.0)
    rows = (
        AblationRow(
            label="ours",
            fingerprint="f@512x512",
            costs={"parameters": exact(5_062_646), "macs_paper": exact(1.813e9)},
            published={"parameters": printed(5.063), "miou": printed(37.8)},
            measured=statistics.rows["ours"],
        ),
        AblationRow(
            label="a|b",
            fingerprint="g@512x512",
            costs={"parameters": exact(4_970_998), "macs_paper": exact(1.808e9)},
            published={"parameters": printed(4.978), "miou": printed(None)},
            claim=Claim(direction=Direction.WORSE, source="text"),
            why={"parameters": "it does not follow"},
            measured=statistics.rows["a|b"],
        ),
        AblationRow(label="c_50%", costs={"parameters": exact(1)}, measured=statistics.rows["c_50%"]),
        AblationRow(label="peer", published={"parameters": printed(9.8), "miou": printed(19.7)}),
    )
    evaluation = Evaluation(
        metric="miou@world",
        base="nano",
        size="128x128",
        budget=800,
        seeds=(0, 1, 2),
        common=statistics.common,
        residual_sd=statistics.residual_sd,
        residual_degrees=statistics.residual_degrees,
    )
    example = Ablation(
        id="table-6", title="Heads & widths", source="T", base="base at 512 x 512", baseline="ours", rows=rows,
        columns=("parameters", "macs_paper"), evaluation=evaluation,
    )  # fmt: skip
    return replace(example, **changes)
