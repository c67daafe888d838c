"""Costs of rows that are no design: networks of others, built and counted elsewhere, as an ablation table states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.records.record import Metric
from analysis.results.ablation import COLUMNS, COSTS
from topformer.errors import StudyError, unknown_name
from topformer.schema import Table


@dataclass(frozen=True, slots=True)
class CountedRows:
    """The table `counted` of a TOML file.

    Attributes:
        rows: Label of a published row to its numbers by column.
        why: Label to the reason, by column, why ours and the printed number differ.
    """

    rows: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    why: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "CountedRows":
        """The rows, checked.

        Raises:
            StudyError: A wrong key, an unknown column, a number that is no positive integer, or no source.
        """
        if not values:
            return cls()
        table = Table("counted", values, ("source", "rows", "why"))
        if not table.has("source"):
            raise StudyError("counted has numbers without a source; say how they were counted")
        rows, why = table.table("rows"), table.table("why")
        reader, words = Table("counted.rows", rows, rows), Table("counted.why", why, why)
        return cls(
            rows={label: _costs(f"counted.rows.{label!r}", reader.table(label)) for label in rows},
            why={label: reasons(f"counted.why.{label!r}", words.table(label)) for label in why},
        )

    def costs(self, label: str) -> Mapping[str, Metric]:
        """The numbers of a row."""
        return self.rows.get(label, {})

    def reasons(self, label: str) -> Mapping[str, str]:
        """The reasons of a row."""
        return self.why.get(label, {})

    def check(self, labels: Iterable[str]) -> None:
        """Every label is that of a row without a design.

        Raises:
            StudyError: One is not.
        """
        known = list(labels)
        for label in (*self.rows, *self.why):
            if label not in known:
                raise StudyError(unknown_name("row of counted", label, known))


def reasons(where: str, values: Mapping[str, Any]) -> Mapping[str, str]:
    """Column to the reason why ours and the printed number differ.

    Raises:
        StudyError: An unknown column, or a reason that is no text.
    """
    table = Table(where, {**values}, COLUMNS)
    return {name: table.text(name) for name in values}


def _costs(where: str, values: Mapping[str, Any]) -> dict[str, Metric]:
    table = Table(where, values, COSTS)
    return {name: Metric(value=table.integer(name), source="exact") for name in values}
