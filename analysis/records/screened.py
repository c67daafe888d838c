"""The designs whose costs were looked at before the first trial of a study, as `screened.csv` keeps them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topformer.errors import RecordError, StorageError

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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not UTF-8 text: {error}") from None
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not text.endswith("\n"):
        raise RecordError(f"{path} is empty or cut")
    try:
        return _summary(rows)
    except (TypeError, ValueError, KeyError) as error:
        raise RecordError(f"{path}: a row does not fit its header or holds no number ({error})") from None


def _summary(rows: Sequence[Mapping[str, str]]) -> Screened:
    names = [name for name in COSTS if name in rows[0]]
    costs = {name: tuple(float(row[name]) for row in rows if row[name] != "") for name in names}
    within = [row for row in rows if row["verdict"] == WITHIN]
    worst = {name: max((float(row.get(name) or 0) for row in within), default=0.0) for name in COSTS}
    return Screened(len(rows), len(within), worst, costs)
