"""The devices that ship with the project, each a folder of data: protocol, measured times, sources."""

import csv
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from search_space.candidate import Candidate
from search_space.latency.fitting import Measured, fit, measured
from search_space.latency.kernels import Kernel
from search_space.latency.model import DeviceModel, Setup
from topformer.errors import InputError, unknown_name
from topformer.presets import preset

__all__ = ["FOLDER", "Measured", "device", "devices", "fit", "measured", "read_device"]

FOLDER = Path(__file__).parent / "devices"
"""One folder per device; see `read_device`."""

FITTED = "fitted"
CHECKED = "checked"

_ROW = ("network", "design", "height", "width", "latency_ms", "role", "source")
_KERNEL = ("network", "kernel", "macs", "moved", "largest")


def devices() -> tuple[str, ...]:
    """Names of the devices that ship with the project, sorted."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/device.toml")))


def device(name: str) -> DeviceModel:
    """The model of a device that ships with the project.

    Raises:
        InputError: There is no such device; the message offers the nearest name.
    """
    if name.lower() not in devices():
        raise InputError(unknown_name("device", name, devices()))
    return _device(name.lower())


@lru_cache(maxsize=16)
def _device(name: str) -> DeviceModel:
    return read_device(FOLDER / name)


def read_device(folder: Path) -> DeviceModel:
    """The model of the device that a folder describes, fitted to its rows.

    Files:
        device.toml: The fields of `Setup` but for the name, which is the folder's.
        measured.csv: `network, design, height, width, latency_ms, role, source`. Rows of role `fitted` name a preset
            and are fitted; of role `checked` have their kernels in kernels.csv and tell how far other networks are
            off; any other row is a record.
        kernels.csv: `network, kernel, macs, moved, largest`: sums over the kernels of one name, and the numbers in
            the largest output.

    Raises:
        InputError: A file is missing or broken; the message names it.
    """
    rows = _read_csv(folder / "measured.csv", _ROW)
    with_kernels = _kernels(folder / "kernels.csv")
    fitted = [_fitted(row) for row in rows if row["role"] == FITTED]
    others = [_checked(row, with_kernels) for row in rows if row["role"] == CHECKED]
    return fit(fitted, _setup(folder), others)


def _setup(folder: Path) -> Setup:
    path = folder / "device.toml"
    try:
        return Setup(name=folder.name, **tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise InputError(f"cannot read the device file {path}: {error}") from error


def _fitted(row: Mapping[str, str]) -> Measured:
    candidate = Candidate(
        design=preset(row["design"]), height=int(_number(row, "height")), width=int(_number(row, "width"))
    )
    return measured(candidate, _number(row, "latency_ms"), name=row["network"], source=row["source"])


def _checked(row: Mapping[str, str], found: Mapping[str, Sequence[Kernel]]) -> Measured:
    name = row["network"]
    return Measured(
        name=name, latency_ms=_number(row, "latency_ms"), kernels=tuple(found.get(name, ())), source=row["source"]
    )


def _kernels(path: Path) -> Mapping[str, Sequence[Kernel]]:
    found = defaultdict(list)
    for row in _read_csv(path, _KERNEL):
        macs, moved, largest = (int(_number(row, column)) for column in ("macs", "moved", "largest"))
        found[row["network"]].append(Kernel(row["kernel"], "", macs, moved, largest))
    return found


def _number(row: Mapping[str, str], column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InputError(f"{column} of {row['network']!r} must be a number, got {row[column]!r}") from None


def _read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except OSError as error:
        raise InputError(f"cannot read the device file {path}: {error}") from error
    if list(reader.fieldnames or ()) != list(columns):
        raise InputError(f"{path} must have the columns {', '.join(columns)}, got {', '.join(reader.fieldnames or ())}")
    return rows
