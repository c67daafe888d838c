"""What the paper prints beside the rows of an ablation table: from a published table, or written in the TOML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from analysis.reference import Cell, paper_table
from analysis.results.ablation import Claim, Published
from analysis.results.effects import Direction
from experiments.ablations.sections import PrintedCell, PrintedClaim, PublishedSection
from topformer.errors import StudyError

PRINTED: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "params_m": ("parameters", 1),
        "gflops": ("macs_paper", 1),
        "mflops": ("macs_paper", 1e-3),
        "latency_ms": ("latency_ms", 1),
        "params_share": ("parameters_share", 100),
        "flops_share": ("macs_share", 100),
        "latency_share": ("latency_share", 100),
        "miou": ("miou", 1),
        "miou_59": ("miou_59", 1),
        "miou_60": ("miou_60", 1),
        "ap": ("ap", 1),
    }
)
"""Column of a published table to our column, and the factor to its unit."""

NOTE = "note"


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A published table, whose rows are claimed by the rows of an ablation table.

    Attributes:
        rows: Of the published table; empty where there is none.
        source: Where it was published.
        label: Format of the label of a row that is not claimed, such as `{method} {encoder}`; empty leaves it out.
    """

    rows: Sequence[Mapping[str, Cell]] = ()
    source: str = ""
    label: str = ""
    claimed: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, section: PublishedSection | None) -> "PublishedTable":
        """The published table that the file names, or one without rows.

        Raises:
            InputError: There is no such published table.
        """
        if section is None:
            return cls()
        return cls(rows=paper_table(section.table), source=section.source, label=section.rest)

    def match(self, where: str, wanted: Mapping[str, Any]) -> dict[str, Published]:
        """The numbers of the one row whose cells are `wanted`; the row counts as claimed.

        Raises:
            StudyError: No row matches, or several do.
        """
        found = [
            index for index, row in enumerate(self.rows) if all(row.get(key) == value for key, value in wanted.items())
        ]
        if len(found) != 1 or not wanted:
            raise StudyError(f"{where}.match must fit one row of the published table, got {wanted!r}: {len(found)} fit")
        self.claimed.add(found[0])
        return self._cells(self.rows[found[0]])

    def rest(self) -> Iterator[tuple[str, dict[str, Published]]]:
        """Label and numbers of every row that is not claimed, where they are asked for."""
        for index, row in enumerate(self.rows):
            if self.label and index not in self.claimed:
                # Some networks have one name for method and encoder: it is said once.
                words = dict.fromkeys(self.label.format_map(row).split(" "))
                yield " ".join(words), self._cells(row)

    def _cells(self, row: Mapping[str, Cell]) -> dict[str, Published]:
        note = row.get(NOTE)
        source = f"{self.source}; {note}" if note else self.source
        cells = {}
        for name, cell in row.items():
            if name not in PRINTED:
                continue
            column, factor = PRINTED[name]
            # Ten digits: 0.74 of the text stays 74 percent.
            value = round(cell * factor, 10) if isinstance(cell, float) else None
            cells[column] = Published(value=value, source=source)
        return cells


def inline(cells: Mapping[str, PrintedCell]) -> dict[str, Published]:
    """The numbers of a `paper` table in a row."""
    return {
        name: Published(value=None if cell.value is None else float(cell.value), source=cell.source)
        for name, cell in cells.items()
    }


def claim(said: PrintedClaim) -> Claim:
    """What the paper says without a number."""
    return Claim(direction=Direction(said.direction), source=said.source)
