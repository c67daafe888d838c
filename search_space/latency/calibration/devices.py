"""Devices, each a folder of data: protocol, measured times, sources; some ship with the project."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from search_space.candidate import Candidate
from search_space.latency.calibration import coefficients_file
from search_space.latency.calibration.fitting import (
    MeasuredNetwork,
    fit,
    measured_candidate,
    shape_for,
    with_constructions,
)
from search_space.latency.calibration.transfer import transfer
from search_space.latency.devices import devices, folder_of
from search_space.latency.kernels import Kernel
from search_space.latency.model import DeviceModel, Setup
from topformer.design import Design
from topformer.design_file import parse_design
from topformer.errors import DesignError, InputError, unknown_name
from topformer.files import read_toml
from topformer.kinds import Text
from topformer.presets import preset
from topformer.schema import key, read

FITTED = "fitted"
CHECKED = "checked"
HELD_OUT = "held-out"

NETWORKS = Path(__file__).parent.parent / "networks.csv"
"""Kernels of the networks that several devices were timed on; `search_space.latency.calibration.networks` writes it."""

ROW = ("network", "design", "height", "width", "latency_ms", "role", "source")
"""Columns of measured.csv; `family` and `noise` may stand among them."""

NEW_CONSTRUCTIONS = NETWORKS.with_name("new_constructions.csv")
"""The same of networks that are in no fit: those that are read from ncnn's own files."""

KERNELS = ("network", "kernel", "count", "macs", "work", "moved", "largest")
"""Columns of a file of kernels."""


def device(name: str) -> DeviceModel:
    """The model of a device that ships with the project, or of the folder of that path.

    Raises:
        InputError: There is no such device; the message offers the nearest name. Or its folder is broken.
    """
    if "/" in name or (Path(name) / "device.toml").is_file():
        return read_device(Path(name))
    return shipped(name)


def shipped(name: str) -> DeviceModel:
    """The model of a device that ships with the project.

    Raises:
        InputError: There is no such device; the message offers the nearest name.
    """
    if name.lower() not in devices():
        raise InputError(unknown_name("device", name, devices()))
    return _device(name.lower())


@lru_cache(maxsize=16)
def _device(name: str) -> DeviceModel:
    return read_device(folder_of(name))


def read_device(folder: Path) -> DeviceModel:
    """The model of the device that a folder describes: its coefficients, or fitted to its rows where there are none.

    Files:
        device.toml: The fields of `Setup` but for the name, which is the folder's. With `prior`, the name of another
            device, that one's coefficients are scaled to the rows instead of fitted to them.
        measured.csv: The columns `ROW`, and perhaps `family` and `noise`, the relative error of a time.
            Rows of role `fitted` are fitted; those of role `checked` count little and tell how far other networks are
            off; those of role `held-out` are in no fit of the coefficients, and where they are of three families
            or more, their errors say how wide the interval is; any other row is a record. A `design` is a preset or the
            JSON of a design; a row without one has its kernels in kernels.csv, in `NETWORKS` or in
            `NEW_CONSTRUCTIONS`.
        kernels.csv: The columns `KERNELS`: sums over the kernels of one name, and the numbers in the largest output.
            May be left out.
        coefficients.json: What a fit to these rows gave; see `search_space.latency.calibration.coefficients_file`. May
            be left out; it must belong to the rows.

    Raises:
        InputError: A file is missing or broken; the message names it.
    """
    setup, prior = _setup(folder)
    rows = _Rows.of(folder)
    path = folder / coefficients_file.FILE
    if path.exists():
        return coefficients_file.read(path, setup, rows.digest(prior))
    return _fit(rows, setup, prior)


def refit(folder: Path) -> tuple[DeviceModel, dict[str, Any]]:
    """The model that the folder's rows give now, whatever its coefficients say, and the file of coefficients to write.

    Raises:
        InputError: A file is missing or broken; the message names it.
    """
    setup, prior = _setup(folder)
    rows = _Rows.of(folder)
    model = _fit(rows, setup, prior)
    return model, coefficients_file.to_json(model, rows.digest(prior), prior)


class _Rows(NamedTuple):
    """The networks of a folder, by role."""

    fitted: list[MeasuredNetwork]
    others: list[MeasuredNetwork]
    held_out: list[MeasuredNetwork]

    @classmethod
    def of(cls, folder: Path) -> Self:
        return cls(*(read_rows(folder, role) for role in (FITTED, CHECKED, HELD_OUT)))

    def digest(self, prior: str | None) -> str:
        return coefficients_file.rows_digest(*self, prior)


def _fit(rows: _Rows, setup: Setup, prior: str | None) -> DeviceModel:
    if prior is not None:
        return transfer(shipped(prior), rows.fitted, setup)
    return with_constructions(fit(rows.fitted, setup, rows.others, shape=shape_for(rows.fitted)), rows.held_out)


def read_rows(folder: Path, role: str) -> list[MeasuredNetwork]:
    """The networks of that role in the folder's measured.csv.

    Raises:
        InputError: A file is missing or broken; the message names it.
    """
    path = folder / "measured.csv"
    rows = _read_csv(path, ROW, ("family", "noise"))
    _check_distinct(rows, path)
    # A device's own kernels win over the shared ones of the same network.
    own = folder / "kernels.csv"
    known_kernels = {**_shared(), **(_kernels(own) if own.exists() else {})}
    return [_measured(row, known_kernels) for row in rows if row["role"] == role]


def _check_distinct(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for line, row in enumerate(rows, start=2):
        first = seen.setdefault(tuple(row[name] for name in ("network", "design", "height", "width")), line)
        if first != line:
            raise InputError(f"{path}: lines {first} and {line} time the same network, {row['network']!r}; keep one")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFile(Setup):
    """What `device.toml` holds."""

    prior: str = field(default="", metadata=key(Text(), "Known device whose coefficients few rows scale."))


def _setup(folder: Path) -> tuple[Setup, str | None]:
    """The setup, and the name of the prior if there is one."""
    path = folder / "device.toml"
    if folder.is_dir() and not path.exists():
        raise InputError(f"{folder} is no folder of a device: it has no device.toml")
    values = read_toml(path, what="device file")
    try:
        found = read(DeviceFile, values, whole="a device", error=InputError)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    known = {item.name: getattr(found, item.name) for item in fields(Setup)}
    return Setup(**{**known, "name": folder.resolve().name}), found.prior or None


def _measured(row: Mapping[str, str], known_kernels: Mapping[str, Sequence[Kernel]]) -> MeasuredNetwork:
    name, latency_ms, source = row["network"], _number(row, "latency_ms"), row["source"]
    if row["design"]:
        height, width = int(_number(row, "height")), int(_number(row, "width"))
        candidate = Candidate(design=_design(row), height=height, width=width)
        timed = measured_candidate(candidate, latency_ms, name=name, source=source)
        return replace(timed, noise=_number(row, "noise")) if row.get("noise") else timed
    kernels = tuple(known_kernels.get(name, ()))
    return MeasuredNetwork(
        name=name, latency_ms=latency_ms, kernels=kernels, source=source, family=row.get("family") or name
    )


def _design(row: Mapping[str, str]) -> Design:
    text = row["design"]
    if not text.startswith("{"):
        return preset(text)
    try:
        return parse_design(text)
    except DesignError as error:
        raise InputError(f"design of {row['network']!r}: {error}") from None


@lru_cache(maxsize=1)
def _shared() -> Mapping[str, Sequence[Kernel]]:
    return {**_kernels(NETWORKS), **_kernels(NEW_CONSTRUCTIONS)}


def _kernels(path: Path) -> Mapping[str, Sequence[Kernel]]:
    by_network = defaultdict(list)
    for row in _read_csv(path, KERNELS):
        count, macs, work, moved, largest = (int(_number(row, column)) for column in KERNELS[2:])
        kernel = Kernel(row["kernel"], "", macs, moved, largest, number=count, extra=work - macs)
        by_network[row["network"]].append(kernel)
    return by_network


def _number(row: Mapping[str, str], column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InputError(f"{column} of {row['network']!r} must be a number, got {row[column]!r}") from None


def _read_csv(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the device file {path}: {error}") from error
    if [name for name in names if name not in optional] != list(columns):
        raise InputError(f"{path} must have the columns {', '.join(columns)}, got {', '.join(names)}")
    short = next((line for line, row in enumerate(rows, start=2) if None in row.values() or None in row), None)
    if short is not None:
        raise InputError(f"{path}, line {short}: there must be {len(names)} values, as in the first line")
    return rows
