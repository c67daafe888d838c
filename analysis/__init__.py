"""Reading records and saying what they mean: Pareto fronts, tables, plots."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.records.frame import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from analysis.records.frame import load

    return load
