"""What all cards of the page of a ladder need to know."""

from dataclasses import dataclass
from typing import Self

from analysis.plots.words import rung_words
from analysis.results.ladder import Ladder, ladder
from analysis.results.truth_table import TruthTable
from topformer.errors import StudyError


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderFacts:
    """A ladder.

    Attributes:
        name: What commands call its table, or its run folders.
        table: Designs and scores.
        found: What each rung is worth; None where the table cannot tell, see `why`.
        why: Why it cannot; empty where it can.
        is_running: Whether a process adds to its run folder now.
    """

    name: str
    table: TruthTable
    found: Ladder | None
    why: str = ""
    is_running: bool = False

    @classmethod
    def of(cls, table: TruthTable, name: str, *, is_running: bool = False) -> Self:
        """The facts of a table; one with too few designs or without full trainings still has a page."""
        try:
            return cls(name=name, table=table, found=ladder(table), is_running=is_running)
        except StudyError as error:
            return cls(name=name, table=table, found=None, why=str(error), is_running=is_running)

    def words(self, rung: str) -> str:
        """A rung or cost of the table in words."""
        return rung_words(rung, self.source(rung))

    def source(self, rung: str) -> str:
        """Where the numbers of a rung or cost come from."""
        return next((one.source for one in self.table.scores if one.name == rung), "exact")
