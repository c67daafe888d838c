"""Devices, each a folder of data: protocol, measured times, sources; some ship with the project."""

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
from search_space.latency.calibration.kernel_files import DEVICE_FILE, number, read_kernels, shared_kernels
from search_space.latency.calibration.known_devices import KnownDevice, digest, published_devices
from search_space.latency.calibration.lean import KNOWN_DEVICES, leaned_model
from search_space.latency.calibration.transfer import transfer
from search_space.latency.devices import devices, folder_of
from search_space.latency.kernels import Kernel
from search_space.latency.model import DeviceModel, Setup
from topformer.csv_file import whole_lines
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

ROW = ("network", "design", "height", "width", "latency_ms", "role", "source")
"""Columns of measured.csv; `family` and `noise` may stand among them."""


def device(name: str | Path) -> DeviceModel:
    """The model of a device that ships with the project, or of the folder of that path.

    Raises:
        InputError: There is no such device; the message offers the nearest name. Or its folder is broken.
    """
    return read_device(Path(name)) if _is_folder(name) else shipped(str(name))


def device_folder(name: str | Path) -> Path:
    """Where the data of a device stand that `device` names; errors as there, but that the folder is not read."""
    return Path(name) if _is_folder(name) else folder_of(shipped(str(name)).name)


def _is_folder(name: str | Path) -> bool:
    return isinstance(name, Path) or "/" in name or (Path(name) / "device.toml").is_file()


def has_prior(folder: Path) -> bool:
    """Whether the coefficients of a device's folder are those of other devices, which few rows scale or weigh."""
    return _setup(folder)[1] is not None


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
            device, that one's coefficients are scaled to the rows instead of fitted to them; with `known-devices` they
            are those of the devices that are most alike.
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
        # What leans on known devices depends on their times too.
        known = f"{prior} {digest()}" if prior == KNOWN_DEVICES else prior
        return coefficients_file.rows_digest(*self, known)


def _fit(rows: _Rows, setup: Setup, prior: str | None) -> DeviceModel:
    if prior == KNOWN_DEVICES:
        return leaned_model(rows.fitted, setup, known_devices())
    if prior is not None:
        return transfer(shipped(prior), rows.fitted, setup)
    return with_constructions(fit(rows.fitted, setup, rows.others, shape=shape_for(rows.fitted)), rows.held_out)


@lru_cache(maxsize=1)
def known_devices() -> tuple[KnownDevice, ...]:
    """All devices that a new one may lean on: those that others published, and the shipped ones not among them.

    Held-out rows of the latter are not among their networks.
    """
    published = published_devices()
    names = {one.name for one in published}
    return (*published, *(_shipped_as_known(name) for name in devices() if name not in names))


def _shipped_as_known(name: str) -> KnownDevice:
    model = shipped(name)
    return KnownDevice.of(name, model.setup.runtime, read_rows(folder_of(name), FITTED), model.coefficients)


def read_rows(folder: Path, role: str) -> list[MeasuredNetwork]:
    """The networks of that role in the folder's measured.csv.

    Raises:
        InputError: A file is missing or broken; the message names it.
    """
    path = folder / "measured.csv"
    rows = whole_lines(path, ROW, ("family", "noise"), what=DEVICE_FILE)
    _check_distinct(rows, path)
    # A device's own kernels win over the shared ones of the same network.
    own = folder / "kernels.csv"
    known_kernels = {**shared_kernels(), **(read_kernels(own) if own.exists() else {})}
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

    prior: str = field(
        default="",
        metadata=key(
            Text(), f"Known device whose coefficients few rows scale; {KNOWN_DEVICES}: all of them, by their likeness."
        ),
    )


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
    name, latency_ms, source = row["network"], number(row, "latency_ms"), row["source"]
    if row["design"]:
        height, width = int(number(row, "height")), int(number(row, "width"))
        candidate = Candidate(design=_design(row), height=height, width=width)
        timed = measured_candidate(candidate, latency_ms, name=name, source=source)
        return replace(timed, noise=number(row, "noise")) if row.get("noise") else timed
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
