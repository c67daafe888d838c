"""What lies outside of what was measured."""

from collections import Counter
from collections.abc import Iterator
from math import exp

from analysis.reports.pages.card import Card, items, paragraphs
from analysis.reports.pages.device.facts import DeviceFacts

PLACE = 60
_RANGES = (("arithmetic, GMACs", 1e-9), ("moved by convolutions and products, GB", 1e-9), ("MACs per byte", 1.0))
"""What the ranges of a model are of, and the factor to the unit that is shown."""
_NOT_HERE = (
    "Not here at all: several threads, GPU and NPU, other precisions than the one that was timed, and pre- and "
    "post-processing."
)


def compute(facts: DeviceFacts) -> Card:
    """The range of the measured networks, the kernels that they had, and what the presets have besides."""
    model = facts.report.model
    kernels = ", ".join(sorted(name for name, _ in model.measured))
    lead = [
        "Within these ranges of the measured networks nothing is extrapolated; outside the interval is widened:",
    ]
    ranges = [
        f"{what}: {scale * exp(low):.3g} to {scale * exp(high):.3g}"
        for (what, scale), (low, high) in zip(_RANGES, model.ranges, strict=True)
    ]
    rest = [
        f"Kernels that a measured network had: {kernels}. Any other one widens the interval by its share of the time."
    ]
    return Card(
        id="outside",
        title="What is outside",
        html=paragraphs(lead) + items(ranges) + paragraphs([*rest, *_presets(facts), _NOT_HERE]),
        is_wide=True,
    )


def _presets(facts: DeviceFacts) -> Iterator[str]:
    """Notes of the model on the presets, each with those that it is of."""
    kinds: Counter[str] = Counter()
    example: dict[str, tuple[str, str]] = {}
    for name, one in facts.presets.items():
        for note in one.notes:
            kind = note.partition(":")[0]
            kinds[kind] += 1
            example.setdefault(kind, (name, note))
    for kind, count in kinds.most_common():
        name, note = example[kind]
        yield f"{count} of the {len(facts.presets)} presets above, for example {name}: {note}."
