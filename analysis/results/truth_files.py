"""Truth tables on disk: the folders that come with the project, others of the same form, and run folders."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.records.record import Record
from analysis.records.soundness import sound_records
from analysis.results.truth_table import ACCURACIES, COSTS, Rung, Score, TableDesign, TruthTable
from topformer.bounds import NATURAL, NOT_NEGATIVE
from topformer.csv_file import whole_lines
from topformer.errors import RecordError, StudyError, unknown_name
from topformer.files import read_object
from topformer.kinds import Entries, Text, is_integer, number_in
from topformer.schema import check

SCHEMA = 1
"""Version of the form of a table; any other is refused."""
PROTOCOL, DESIGNS, SCORES = "protocol.json", "designs.csv", "scores.csv"
RUNG = ("metric", "source", "iterations", "schedule", "evaluator")
SCORE = ("fingerprint", "seed", "value", "seconds")
AXIS, GROUP = "axis:", "group:"
"""How the columns of labels, and of values of groups of classes, begin."""
_FOLDER = Path(__file__).parent.parent / "truth"
_RECORDS = "records.jsonl"
_LARGEST = 1e18
"""Of any number in a table; squares of larger ones leave the range of a float."""


def names() -> list[str]:
    """Names of the tables that come with the project."""
    return sorted(path.parent.name for path in _FOLDER.glob(f"*/{PROTOCOL}"))


def folder_of(name: str) -> Path:
    """Where a table of `names()` stands."""
    return _FOLDER / name


def truth_table(*places: str | Path) -> TruthTable:
    """The table of a name of `names()` or of a folder, of the records of run folders, or of several of these together.

    Of two trainings of one design with one seed the later place's counts. How the truth was made is what the first
    place says, with the versions of all.

    Raises:
        StudyError: There is no such table or folder, it is of another schema, or trainings of one name are on several
            data sets.
        RecordError: A file holds what no table can.
        StorageError: A file cannot be read.
    """
    folders = [_folder(place) for place in places]
    tables = [_read(folder) if (folder / PROTOCOL).is_file() else _of_run(folder) for folder in folders]
    if len(tables) == 1:
        return tables[0]
    _check_data(tables, folders)
    versions: dict[str, set[str]] = defaultdict(set)
    for name, found in (item for table in tables for item in table.protocol.get("versions", {}).items()):
        versions[name].update(found.split(", "))
    return replace(TruthTable.joined(tables), protocol={**tables[0].protocol, "versions": _listed(versions)})


def _of_run(folder: Path) -> TruthTable:
    if not (folder / _RECORDS).is_file():
        raise StudyError(f"{folder} must be the folder of a truth table or of a run, got one without {_RECORDS}")
    records = sound_records(folder / _RECORDS)
    return replace(TruthTable.of_records(records), protocol=_protocol(folder, records))


def _check_data(tables: Sequence[TruthTable], folders: Sequence[Path]) -> None:
    """Trainings that go by one name are on one data set: a name such as `miou@mine` does not tell its files."""
    seen: dict[Rung, tuple[object, Path]] = {}
    for table, folder in zip(tables, folders, strict=True):
        evaluator = table.protocol.get("evaluator")
        data = evaluator.get("data") if isinstance(evaluator, dict) else None
        other, first = seen.setdefault(table.truth, (data, folder))
        if other != data:
            raise StudyError(f"{first} and {folder} have {table.truth.name} on different data, and cannot be joined")


def _listed(versions: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {name: ", ".join(sorted(found)) for name, found in sorted(versions.items())}


def _folder(place: str | Path) -> Path:
    if str(place) in names():
        return folder_of(str(place))
    if not Path(place).is_dir():
        raise StudyError(unknown_name("truth table", str(place), names()) + "; or a run folder")
    return Path(place)


def _read(folder: Path) -> TruthTable:
    protocol = read_object(folder / PROTOCOL, error=RecordError)
    _check_protocol(folder / PROTOCOL, protocol)
    designs: dict[str, TableDesign] = {}
    for number, line in enumerate(whole_lines(folder / DESIGNS, ("fingerprint",), error=RecordError), start=2):
        one = _design(f"{folder / DESIGNS}, line {number}", line)
        if one.fingerprint in designs:
            raise RecordError(f"{folder / DESIGNS}, line {number}: {one.fingerprint} stands there twice")
        designs[one.fingerprint] = one
    scores: dict[Rung, list[Score]] = defaultdict(list)
    seen: set[tuple[Rung, str, int]] = set()
    for number, line in enumerate(whole_lines(folder / SCORES, (*RUNG, *SCORE), error=RecordError), start=2):
        where = f"{folder / SCORES}, line {number}"
        rung, score = _score(where, line)
        if score.fingerprint not in designs:
            raise RecordError(f"{where}: {score.fingerprint} stands not in {DESIGNS}")
        if (rung, score.fingerprint, score.seed) in seen:
            raise RecordError(f"{where}: seed {score.seed} of {score.fingerprint} stands there twice for {rung.name}")
        seen.add((rung, score.fingerprint, score.seed))
        scores[rung].append(score)
    truth = next((rung for rung in scores if rung.name == protocol.get("truth")), None)
    if truth is None:
        raise RecordError(unknown_name(f"{folder / PROTOCOL}: truth", protocol.get("truth"), _names(scores)))
    return TruthTable(
        designs=designs,
        scores={rung: tuple(found) for rung, found in scores.items()},
        truth=truth,
        protocol=protocol,
        fixed_seconds=protocol.get("fixed_seconds", {}),
    )


def _check_protocol(path: Path, protocol: Mapping[str, Any]) -> None:
    schema = protocol.get("schema")
    if schema != SCHEMA or not is_integer(schema):
        raise StudyError(f"{path}: schema must be {SCHEMA}, got {schema!r}")
    for name, kind in (("fixed_seconds", Entries(NOT_NEGATIVE)), ("versions", Entries(Text()))):
        check(f"{path}: {name}", protocol.get(name, {}), kind, RecordError)


def _names(rungs: Iterable[Rung]) -> list[str]:
    return [rung.name for rung in rungs]


def _design(where: str, line: Mapping[str, str]) -> TableDesign:
    labels = {name.removeprefix(AXIS): text for name, text in line.items() if name.startswith(AXIS) and text}
    costs = {name: _number(f"{where}: {name}", line[name]) for name in COSTS if line.get(name)}
    return TableDesign(fingerprint=line["fingerprint"], labels=labels, costs=costs)


def _score(where: str, line: Mapping[str, str]) -> tuple[Rung, Score]:
    def whole(name: str) -> int:
        value = _number(f"{where}: {name}", line[name])
        if value != int(value) or NATURAL.problems(name, int(value)):
            raise RecordError(f"{where}: {name} must be a whole number of at least 0, got {line[name]!r}")
        return int(value)

    rung = Rung(
        metric=line["metric"],
        source=line["source"],
        iterations=whole("iterations"),
        schedule=whole("schedule"),
        evaluator=line["evaluator"],
    )
    if rung.source not in ACCURACIES:
        raise RecordError(f"{where}: {unknown_name('source', rung.source, ACCURACIES)}")
    if not rung.metric or rung.iterations > rung.schedule:
        raise RecordError(
            f"{where}: a rung has a metric, and iterations up to its schedule, got {rung.metric!r} and "
            f"{rung.iterations} of {rung.schedule}"
        )
    groups = {name.removeprefix(GROUP): text for name, text in line.items() if name.startswith(GROUP) and text}
    score = Score(
        fingerprint=line["fingerprint"],
        seed=whole("seed"),
        value=_number(f"{where}: value", line["value"]),
        seconds=_number(f"{where}: seconds", line["seconds"]),
        groups={name: _number(f"{where}: {name}", text) for name, text in groups.items()},
    )
    if score.seconds < 0:
        raise RecordError(f"{where}: seconds must be at least 0, got {line['seconds']!r}")
    return rung, score


def _number(where: str, text: str) -> float:
    try:
        value = number_in(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < _LARGEST:
        raise RecordError(f"{where} must be a number, got {text!r}")
    return value


def _protocol(folder: Path, records: Iterable[Record]) -> dict[str, Any]:
    """What the run folder of a truth says of itself, with the versions of what made its records."""
    study = read_object(folder / "study.json", error=RecordError)
    versions: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for name, version in record.versions.items():
            versions[name].add(version)
    kept = ("name", "space", "budget", "device", "evaluator", "strata", "seed")
    return {
        **{name: study[name] for name in kept if name in study},
        "versions": _listed(versions),
    }
