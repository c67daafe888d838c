"""A fitted device as JSON: its numbers, what they were fitted from, and with what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from search_space.latency.calibration.fitting import BESIDE, Measured
from search_space.latency.model import Checked, DeviceModel, Setup
from search_space.latency.rates import HUBER, LOOSENESS, NOISE, SHAPE, Rates
from search_space.latency.spread import Spread
from topformer.errors import InputError

FILE = "coefficients.json"
"""Name of the file in a device's folder."""

SCHEMA = 1


def digest(fitted: Sequence[Measured], others: Sequence[Measured], prior: str | None) -> str:
    """SHA-256 of all that a fit depends on: the networks, their kernels and times, and the constants of the method."""
    method = [NOISE, BESIDE, LOOSENESS, HUBER, list(SHAPE), prior]
    networks = [
        [[row.name, row.family, row.latency_ms, [[k.name, *k[2:]] for k in row.kernels]] for row in rows]
        for rows in (fitted, others)
    ]
    return sha256(json.dumps([SCHEMA, method, networks], separators=(",", ":")).encode()).hexdigest()


def to_json(model: DeviceModel, rows_sha256: str, prior: str | None = None) -> dict[str, Any]:
    """The device's numbers as plain JSON values; its setup stands in device.toml.

    Args:
        model: The device.
        rows_sha256: What `digest` says of its rows.
        prior: The device whose rates were scaled, if any were.
    """
    return {
        "schema": SCHEMA,
        "rows_sha256": rows_sha256,
        "made_with": {name: version(name) for name in ("topformer-explorer", "numpy", "scipy")},
        "prior": prior,
        "method": {"noise": NOISE, "beside": BESIDE, "looseness": LOOSENESS, "huber": HUBER, "shape": SHAPE._asdict()},
        "rates": model.rates._asdict(),
        "spread": asdict(model.spread),
        "ranges": [list(pair) for pair in model.ranges],
        "measured": dict(model.measured),
        "rows": [asdict(row) for row in model.rows],
        "others": [asdict(row) for row in model.others],
    }


def read(path: Path, setup: Setup, expected: str) -> DeviceModel:
    """The device of a file that `to_json` made.

    Args:
        path: The file.
        setup: How the device was measured.
        expected: What `digest` says of the rows that stand beside it.

    Raises:
        InputError: The file cannot be read, or was made from other rows.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = values["rows_sha256"]
        model = _model(values, setup)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read the coefficients {path}: {error!r}; {_remake(path)}") from None
    if found != expected:
        raise InputError(
            f"{path} was made from other rows than those beside it (rows_sha256 {str(found)[:12]}, expected "
            f"{expected[:12]}); {_remake(path)}"
        )
    return model


def _remake(path: Path) -> str:
    return f"remake it with: topformer calibrate --refit {path.parent}"


def _model(values: Mapping[str, Any], setup: Setup) -> DeviceModel:
    return DeviceModel(
        setup=setup,
        rates=Rates(**values["rates"]),
        measured=tuple((name, int(largest)) for name, largest in values["measured"].items()),
        ranges=tuple((float(low), float(high)) for low, high in values["ranges"]),
        spread=Spread(**values["spread"]),
        rows=tuple(Checked(**row) for row in values["rows"]),
        others=tuple(Checked(**row) for row in values["others"]),
    )
