"""What all cards of the page of an ablation need to know."""

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.records.record import Record, State
from analysis.results.ablation import Ablation, AblationRow, MeasuredRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationFacts:
    """An ablation.

    Attributes:
        name: What commands call its folder; empty where there is none.
        tables: In order.
        records: The runs of the evaluator and budget that are shown, of any state.
        notes: What the records hold besides and the page does not show, as sentences.
        is_running: Whether a process adds to it now.
        has_files: Whether the files of the tables lie in `tables/` beside the page.
    """

    name: str
    tables: tuple[Ablation, ...]
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    is_running: bool = False
    has_files: bool = False

    @property
    def measured(self) -> Iterator[tuple[Ablation, AblationRow, MeasuredRow]]:
        """Rows that have an accuracy on the base, also before one ran; a network that is an earlier row is none."""
        for table in self.tables:
            for row in table.rows:
                if row.measured is not None and not row.measured.same_as:
                    yield table, row, row.measured

    def count(self, state: State) -> int:
        """Number of runs of that state."""
        return sum(record.state is state for record in self.records)
