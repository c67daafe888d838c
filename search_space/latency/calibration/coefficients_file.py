"""A fitted device as JSON: its numbers, what they were fitted from, and with what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from search_space.latency.calibration.fitting import BESIDE, MeasuredNetwork
from search_space.latency.coefficients import HUBER, LOOSENESS, NOISE, SHAPE, Coefficients
from search_space.latency.model import DeviceModel, LeftOutRow, Setup
from search_space.latency.predictive_spread import PredictiveSpread
from topformer.bounds import NOT_NEGATIVE
from topformer.errors import InputError, shown
from topformer.files import read_object
from topformer.schema import check

FILE = "coefficients.json"
"""Name of the file in a device's folder."""

SCHEMA = 3
"""Version of the file; schema 1 has other words for the same numbers, schema 2 does not say which error is that of
single networks; both are still read."""

_ROWS_VERSION = 1
"""Version of what `rows_digest` digests; it is not that of the file, whose words may change and the rows stay."""

_WORDS_OF_1 = MappingProxyType({"rates": "coefficients", "reach": "extrapolation"})


def rows_digest(
    fitted: Sequence[MeasuredNetwork],
    others: Sequence[MeasuredNetwork],
    held_out: Sequence[MeasuredNetwork],
    prior: str | None,
) -> str:
    """SHA-256 of all that a fit depends on: the networks, their kernels and times, and the constants of the method."""
    method = [NOISE, BESIDE, LOOSENESS, HUBER, list(SHAPE), prior]
    networks = [
        [
            [row.name, row.family, row.latency_ms, [[k.name, *k[2:]] for k in row.kernels], *_own_noise(row)]
            for row in rows
        ]
        # Named where there are any, so that the files of devices without them stay as they are.
        for rows in (fitted, others, *([held_out] if held_out else []))
    ]
    return sha256(json.dumps([_ROWS_VERSION, method, networks], separators=(",", ":")).encode()).hexdigest()


def _own_noise(row: MeasuredNetwork) -> list[float]:
    return [] if row.noise == NOISE else [row.noise]


_RANGES = 3
"""Pairs of ends: of the work, of the bytes, and of the ratio of the two."""


def to_json(model: DeviceModel, rows_sha256: str, prior: str | None = None) -> dict[str, Any]:
    """The device's numbers as plain JSON values; its setup stands in device.toml.

    Args:
        model: The device.
        rows_sha256: What `rows_digest` says of its rows.
        prior: The device whose coefficients were scaled, if any were.
    """
    return {
        "schema": SCHEMA,
        "rows_sha256": rows_sha256,
        "made_with": {name: version(name) for name in ("topformer-explorer", "numpy", "scipy")},
        "prior": prior,
        "method": {"noise": NOISE, "beside": BESIDE, "looseness": LOOSENESS, "huber": HUBER, "shape": SHAPE._asdict()},
        "coefficients": model.coefficients._asdict(),
        "spread": asdict(model.spread),
        "ranges": [list(pair) for pair in model.ranges],
        "measured": dict(model.measured),
        "rows": [asdict(row) for row in model.rows],
        "others": [asdict(row) for row in model.others],
        # Named where there are any, as above.
        **({"leaned_on": dict(model.leaned_on)} if model.leaned_on else {}),
    }


def read(path: Path, setup: Setup, expected: str) -> DeviceModel:
    """The device of a file that `to_json` made.

    Args:
        path: The file.
        setup: How the device was measured.
        expected: What `rows_digest` says of the rows that stand beside it.

    Raises:
        InputError: The file cannot be read, or was made from other rows.
    """
    try:
        values = _current(read_object(path, error=InputError))
        actual = values["rows_sha256"]
        model = _model(values, setup)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if isinstance(error, InputError) else repr(error)
        raise InputError(f"cannot read the coefficients {path}: {reason}; {_remake(path)}") from None
    if actual != expected:
        raise InputError(
            f"{path} was made from other rows than those beside it (rows_sha256 {str(actual)[:12]}, expected "
            f"{expected[:12]}); {_remake(path)}"
        )
    return model


def _remake(path: Path) -> str:
    return f"remake it with: topformer calibrate --refit {path.parent}"


def _current(values: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file of this schema or of those before it, in the words of this one.

    Raises:
        ValueError: It is of none of them.
    """
    schema = values["schema"]
    if schema not in (1, 2, SCHEMA):
        raise ValueError(f"schema must be 1, 2 or {SCHEMA}, got {schema!r}")
    current = {_WORDS_OF_1.get(name, name): value for name, value in values.items()}
    return {**current, "spread": {_WORDS_OF_1.get(name, name): value for name, value in values["spread"].items()}}


def _model(values: Mapping[str, Any], setup: Setup) -> DeviceModel:
    """The device of the values.

    Raises:
        ValueError: They are no numbers of a device: a prediction from them would be NaN, or none.
    """
    for name in ("coefficients", "spread"):
        for key, value in values[name].items():
            check(f"{name}.{key}", value, NOT_NEGATIVE, InputError)
    if not values["rows"]:
        raise ValueError("rows must hold the measured networks, got none")
    if not isinstance(values["ranges"], list) or len(values["ranges"]) != _RANGES:
        raise ValueError(f"ranges must be a list of {_RANGES} pairs, got {shown(values['ranges'])}")
    return DeviceModel(
        setup=setup,
        coefficients=Coefficients(**values["coefficients"]),
        measured=tuple((name, int(largest)) for name, largest in values["measured"].items()),
        ranges=tuple((float(low), float(high)) for low, high in values["ranges"]),
        spread=PredictiveSpread(**values["spread"]),
        rows=tuple(LeftOutRow(**row) for row in values["rows"]),
        others=tuple(LeftOutRow(**row) for row in values["others"]),
        leaned_on=tuple((name, float(share)) for name, share in values.get("leaned_on", {}).items()),
    )
