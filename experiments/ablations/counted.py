"""Costs of rows that are no design: networks of others, built and counted elsewhere, as an ablation table states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from analysis.records.record import Metric
from experiments.ablations.sections import CountedSection
from topformer.errors import StudyError, unknown_name


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
    def of(cls, section: CountedSection | None) -> "CountedRows":
        """The rows of the file, or none."""
        if section is None:
            return cls()
        costs = {
            label: {name: Metric(value=value, source="exact") for name, value in row.items()}
            for label, row in section.rows.items()
        }
        return cls(rows=costs, why=section.why)

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
