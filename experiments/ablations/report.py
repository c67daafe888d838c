"""Ablations as tables and a page: of what was just run, or of records alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.records.named_design import named_design
from analysis.records.record import RECORDS, JsonlStore, Record
from analysis.reports.ablation_files import TABLES, write_tables
from analysis.reports.pages.ablation.ablation_page import ablation_page
from analysis.reports.pages.ablation.facts import AblationFacts
from analysis.reports.pages.page import NAME, write_page
from analysis.results.ablation import Ablation
from experiments.ablations.definition import TableDefinition, table, table_names
from experiments.ablations.plan import DETECT, FOLDER, OWN, Base, Identity
from experiments.ablations.results import results
from experiments.trials.run_folder import STUDY
from search_space.candidate import Candidate
from topformer.errors import StudyError
from topformer.files import read_object


@dataclass(frozen=True, slots=True)
class AblationFiles:
    """Where the files of an ablation are.

    Attributes:
        page: All tables and figures in one file.
        tables: Folder of the single tables, see `analysis.reports.ablation_files.write_tables`.
    """

    page: Path
    tables: Path


def write_ablation(facts: AblationFacts, folder: Path) -> AblationFiles:
    """Write every table in every form, and the page.

    Raises:
        InputError: Something else is called as the page is.
        StorageError: A file cannot be written.
    """
    tables = write_tables(facts.tables, folder)
    return AblationFiles(page=write_page(ablation_page(replace(facts, has_files=True)), folder / NAME), tables=tables)


def remake(
    tables: Sequence[TableDefinition],
    records: Sequence[Record],
    base: Base,
    folder: Path,
    *,
    study: str | None = None,
    budget: int | None = None,
    detect: float = DETECT,
) -> tuple[tuple[Ablation, ...], AblationFiles]:
    """The tables from records alone: nothing is run, and torch is not needed.

    Args:
        tables: In order.
        records: Of one or several ablations.
        base: What the rows' edits were applied to; a candidate is taken at the size of the records.
        folder: Where the files go.
        study: Which evaluator's records, where there are several.
        budget: Which budget's records, where there are several.
        detect: A difference of interest for the power statement, in percentage points.

    Raises:
        StudyError: There are no such records, or those of several evaluators, budgets or sizes.
    """
    chosen = [
        one
        for one in records
        if study in (None, one.study) and budget in (None, one.budget) and "evaluator" in one.details
    ]
    kinds = sorted({(record.study, record.budget) for record in chosen})
    if len(kinds) != 1:
        listed = ", ".join(f"study {kind} with budget {iterations}" for kind, iterations in kinds) or "none"
        raise StudyError(f"records must be of one evaluator and budget, got {listed}; name one of them")
    made = _of_records(tables, chosen, base, detect)
    return made, write_ablation(AblationFacts(name="", tables=made, records=tuple(chosen)), folder)


def write_report(folder: Path, out: Path | None = None, *, name: str = "", is_running: bool = False) -> Path:
    """Write the page of the run folder of ablations: of every table of the project that has measured rows in it.

    Of records of several evaluators, budgets, bases or sizes those with the largest budget are shown, then the most
    frequent; the page counts the others.

    Args:
        folder: The run folder; it may be without records yet.
        out: The file; `report.html` in the folder if None.
        name: What commands call the folder; its path if empty.
        is_running: Whether a process adds to it now.

    Raises:
        DesignError: The base is not there any more.
        InputError: `out` is something else than a page.
        RecordError: A record is broken.
        StorageError: A file cannot be read or written.
    """
    store = JsonlStore(folder / RECORDS)
    records = [one for one in store.read().records if _is_ablation(one)] if store.path.exists() else []
    path = folder / NAME if out is None else out
    facts = AblationFacts(name=name or str(folder), tables=(), is_running=is_running)
    if records:
        facts = _shown(facts, records)
    has_files = path.parent == folder and all((folder / TABLES / f"{one.id}.md").exists() for one in facts.tables)
    return write_page(ablation_page(replace(facts, has_files=bool(facts.tables) and has_files)), path)


def is_ablation(folder: Path) -> bool:
    """Whether a run folder is one of ablations: by its study, which has no objectives, or else by its records.

    Raises:
        RecordError: A record is broken.
        StorageError: A file cannot be read.
    """
    study, store = folder / STUDY, JsonlStore(folder / RECORDS)
    if study.exists():
        description = read_object(study)
        return description.get("name") == FOLDER["name"] and "objectives" not in description
    return store.path.exists() and any(map(_is_ablation, store))


def _is_ablation(record: Record) -> bool:
    return isinstance(record.details.get("ablation"), dict) and "evaluator" in record.details


Kind = tuple[int, str, str, int, int]
"""Budget, study, base, height and width of a run; of a base that is each table's own the size is not of the kind."""


def _kind(record: Record) -> Kind:
    base = str(record.details["ablation"].get("base", ""))
    size = (0, 0) if base == OWN else (record.height, record.width)
    return record.budget, record.study, base, *size


def _shown(facts: AblationFacts, records: Sequence[Record]) -> AblationFacts:
    """The facts with the tables of one kind of records, and a word on all others."""
    counts = Counter(map(_kind, records))
    kind = max(counts, key=lambda one: (one[0], counts[one]))
    chosen = [record for record in records if _kind(record) == kind]
    candidate = None if kind[2] == OWN else Candidate(design=named_design(kind[2]), height=kind[3], width=kind[4])
    made = _of_records([table(one) for one in table_names()], chosen, Base(name=kind[2], candidate=candidate), DETECT)
    tables = tuple(one for one in made if _is_measured(one))
    return replace(facts, tables=tables, records=tuple(chosen), notes=tuple(_notes(facts.name, counts, kind, chosen)))


def _is_measured(ablation: Ablation) -> bool:
    """Whether a row besides the baseline, which all tables of a base share, ran or failed."""
    rows = [row for row in ablation.rows if row.measured is not None and row.label != ablation.baseline]
    return any(row.measured is not None and (row.measured.scores or row.measured.failed) for row in rows)


def _notes(name: str, counts: Counter[Kind], kind: Kind, chosen: Sequence[Record]) -> Iterator[str]:
    for other, count in counts.items():
        if other != kind:
            size = f" at {other[3]}x{other[4]}" if other[3] else ""
            made = f"study {other[1]} on {other[2]}{size} with {other[0]:,} iterations"
            yield f"{count:,} runs of {made} are not comparable, and not shown."
    for one, count in Counter(str(record.details["ablation"].get("table")) for record in chosen).items():
        if one not in table_names():
            yield (
                f"{count:,} runs are of the table {one!r}, which is none of the project's: topformer ablate FILE.toml "
                f"--from {Path(name) / RECORDS} --out FOLDER makes its page."
            )


def _of_records(
    tables: Sequence[TableDefinition], records: Sequence[Record], base: Base, detect: float
) -> tuple[Ablation, ...]:
    """The tables with what the records of one evaluator and budget say of them."""
    return results(
        tables,
        _sized(base, records),
        records,
        identity=Identity.of_record(records[0]),
        budget=records[0].budget,
        seeds=tuple(sorted({record.seed for record in records})),
        detect=detect,
    )


def _sized(base: Base, records: Sequence[Record]) -> Base:
    if base.candidate is None:
        return base
    sizes = sorted({(record.height, record.width) for record in records})
    if len(sizes) != 1:
        raise StudyError(f"records must be of one input size on base {base.name}, got {sizes}")
    return Base(name=base.name, candidate=replace(base.candidate, height=sizes[0][0], width=sizes[0][1]))
