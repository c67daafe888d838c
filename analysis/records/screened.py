"""The designs whose costs were looked at before the first trial of a study, as `screened.csv` keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from topformer.csv_file import LARGEST, whole_lines
from topformer.errors import RecordError, StorageError
from topformer.files import check_regular, read_text
from topformer.kinds import number_in

SCREENED = "screened.csv"
OLD_NAME = "considered.csv"
"""Name of the file in run folders of version 0.1."""
WITHIN = "within limits"
COSTS = ("macs", "parameters", "latency_ms")


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screening of a space found.

    Attributes:
        designs: Number of designs that were costed.
        within: How many of them are within the limits.
        worst: `macs`, `parameters` and `latency_ms` to the largest number among the designs within the limits.
        costs: The same names to the numbers of all designs; without those that were not asked for.
    """

    designs: int
    within: int
    worst: Mapping[str, float]
    costs: Mapping[str, tuple[float, ...]]


def read_screened(folder: Path) -> Screened | None:
    """What an earlier process wrote into a run folder; None where it wrote nothing.

    Raises:
        RecordError: The file is cut or does not hold what it should.
        StorageError: It cannot be read.
    """
    path = next((folder / name for name in (SCREENED, OLD_NAME) if (folder / name).exists()), None)
    if path is None:
        return None
    check_regular(path, what="list of screened designs", error=StorageError)
    lines = whole_lines(path, ("verdict",), error=RecordError)
    if not lines or not read_text(path, error=RecordError, most=LARGEST).endswith("\n"):
        raise RecordError(f"{path} is empty or cut")
    try:
        return _summary(lines)
    except ValueError as error:
        raise RecordError(f"{path}: a row holds what is no cost ({error})") from None


def _summary(rows: Sequence[Mapping[str, str]]) -> Screened:
    names = [name for name in COSTS if name in rows[0]]
    costs = {name: tuple(_cost(name, row[name]) for row in rows if row[name] != "") for name in names}
    within = [row for row in rows if row["verdict"] == WITHIN]
    worst = {name: max((_cost(name, row.get(name) or "0") for row in within), default=0.0) for name in COSTS}
    return Screened(len(rows), len(within), worst, costs)


def _cost(name: str, text: str) -> float:
    try:
        value = number_in(text)
    except ValueError:
        value = inf
    if not 0 <= value < inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {text!r}")
    return value
