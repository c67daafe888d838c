"""Records of the first schema, which knew no fidelity, in the form of the second."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from analysis.records.fidelity import UNKNOWN, Fidelity
from analysis.records.json_values import integer, mapping


def from_schema_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """The first schema had the budget alone: what the record says of its evaluator and data else is its fidelity.

    An ablation kept the evaluator's settings whole; of a sweep's data only the name is known, from its metric.
    """
    rest = {name: value for name, value in data.items() if name != "budget"}
    size = {name: integer(name, data.get(name)) for name in ("height", "width")}
    budget = integer("budget", data.get("budget", 0))
    settings = mapping("details", data.get("details", {})).get("evaluator")
    if isinstance(settings, dict) and "kind" in settings:
        fidelity = Fidelity.of(settings, **size, budget=budget)
    else:
        name = next(
            (name.partition("@")[2] for name in mapping("metrics", data.get("metrics", {})) if "miou@" in name), ""
        )
        fidelity = Fidelity(
            evaluator=UNKNOWN,
            data=f"{name}:{UNKNOWN}" if name else UNKNOWN,
            size=f"{size['height']}x{size['width']}",
            budget=budget,
        )
    return {**rest, "fidelity": asdict(fidelity)}
