"""Truth tables on disk: the folders that come with the project, others of the same form, and run folders."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from analysis.records.record import JsonlStore
from analysis.results.truth_table import COSTS, Rung, Score, TableDesign, TruthTable
from topformer.bounds import NATURAL
from topformer.errors import RecordError, StudyError, unknown_name
from topformer.files import read_object, read_text

SCHEMA = 1
"""Version of the form of a table; any other is refused."""
PROTOCOL, DESIGNS, SCORES = "protocol.json", "designs.csv", "scores.csv"
RUNG = ("metric", "source", "iterations", "schedule", "evaluator")
SCORE = ("fingerprint", "seed", "value", "seconds")
AXIS, GROUP = "axis:", "group:"
"""How the columns of labels, and of values of groups of classes, begin."""
_FOLDER = Path(__file__).parent.parent / "truth"
_RECORDS = "records.jsonl"
_LARGEST = 64 * 2**20


def names() -> list[str]:
    """Names of the tables that come with the project."""
    return sorted(path.parent.name for path in _FOLDER.glob(f"*/{PROTOCOL}"))


def truth_table(*places: str | Path) -> TruthTable:
    """The table of a name of `names()` or of a folder, of the records of run folders, or of several of these together.

    Of two trainings of one design with one seed the later place's counts. How the truth was made is what the first
    place says, with the versions of all.

    Raises:
        StudyError: There is no such table or folder, or it is of another schema.
        RecordError: A file holds what no table can.
        StorageError: A file cannot be read.
    """
    tables = [_read(folder) if (folder / PROTOCOL).is_file() else _of_run(folder) for folder in map(_folder, places)]
    if len(tables) == 1:
        return tables[0]
    versions: dict[str, set[str]] = defaultdict(set)
    for name, found in (item for table in tables for item in table.protocol.get("versions", {}).items()):
        versions[name].update(found.split(", "))
    return replace(TruthTable.joined(tables), protocol={**tables[0].protocol, "versions": _listed(versions)})


def _of_run(folder: Path) -> TruthTable:
    if not (folder / _RECORDS).is_file():
        raise StudyError(f"{folder} must be the folder of a truth table or of a run, got one without {_RECORDS}")
    table = TruthTable.of_records(JsonlStore(folder / _RECORDS).read().records)
    return replace(table, protocol=protocol_of(folder))


def _listed(versions: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {name: ", ".join(sorted(found)) for name, found in sorted(versions.items())}


def _folder(place: str | Path) -> Path:
    if str(place) in names():
        return _FOLDER / place
    if not Path(place).is_dir():
        raise StudyError(unknown_name("truth table", str(place), names()) + "; or a run folder")
    return Path(place)


def _read(folder: Path) -> TruthTable:
    protocol = read_object(folder / PROTOCOL, error=RecordError)
    if protocol.get("schema") != SCHEMA:
        raise StudyError(f"{folder / PROTOCOL}: schema must be {SCHEMA}, got {protocol.get('schema')!r}")
    designs = {one.fingerprint: one for one in map(_design, _lines(folder / DESIGNS, ("fingerprint",)))}
    scores: dict[Rung, list[Score]] = defaultdict(list)
    for number, line in enumerate(_lines(folder / SCORES, (*RUNG, *SCORE)), start=2):
        rung, score = _score(f"{folder / SCORES}, line {number}", line)
        if score.fingerprint not in designs:
            raise RecordError(f"{folder / SCORES}, line {number}: {score.fingerprint} stands not in {DESIGNS}")
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


def _names(rungs: Iterable[Rung]) -> list[str]:
    return [rung.name for rung in rungs]


def _lines(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    text = read_text(path, what="table", error=RecordError, most=_LARGEST)
    lines = list(csv.DictReader(text.splitlines()))
    missing = [name for name in needed if not lines or name not in lines[0]]
    if missing or any(None in line or None in line.values() for line in lines):
        raise RecordError(f"{path} must have the columns {', '.join(needed)} and as many cells in every line")
    return lines


def _design(line: Mapping[str, str]) -> TableDesign:
    labels = {name.removeprefix(AXIS): text for name, text in line.items() if name.startswith(AXIS) and text}
    costs = {name: _number(name, line[name]) for name in COSTS if line.get(name)}
    return TableDesign(fingerprint=line["fingerprint"], labels=labels, costs=costs)


def _score(where: str, line: Mapping[str, str]) -> tuple[Rung, Score]:
    def whole(name: str) -> int:
        value = int(_number(f"{where}: {name}", line[name]))
        if NATURAL.problems(name, value):
            raise RecordError(f"{where}: {name} must be a whole number of at least 0, got {line[name]!r}")
        return value

    rung = Rung(
        metric=line["metric"],
        source=line["source"],
        iterations=whole("iterations"),
        schedule=whole("schedule"),
        evaluator=line["evaluator"],
    )
    groups = {name.removeprefix(GROUP): text for name, text in line.items() if name.startswith(GROUP) and text}
    score = Score(
        fingerprint=line["fingerprint"],
        seed=whole("seed"),
        value=_number(f"{where}: value", line["value"]),
        seconds=_number(f"{where}: seconds", line["seconds"]),
        groups={name: _number(f"{where}: {name}", text) for name, text in groups.items()},
    )
    return rung, score


def _number(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise RecordError(f"{where} must be a number, got {text!r}")
    return value


def protocol_of(folder: Path) -> dict[str, Any]:
    """What the run folder of a truth says of itself, with the versions of what made its records.

    Raises:
        RecordError: A file is broken.
        StorageError: A file cannot be read.
    """
    study = read_object(folder / "study.json", error=RecordError)
    versions: dict[str, set[str]] = defaultdict(set)
    for record in JsonlStore(folder / _RECORDS).read().records:
        for name, version in record.versions.items():
            versions[name].add(version)
    kept = ("name", "space", "budget", "device", "evaluator", "strata", "seed")
    return {
        **{name: study[name] for name in kept if name in study},
        "versions": _listed(versions),
    }
