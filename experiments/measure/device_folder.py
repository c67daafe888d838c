"""A calibrated device as a folder that `topformer latency --device PATH` reads."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

from experiments.measure.calibration import Calibration, Method
from search_space.latency.calibration import coefficients_file
from search_space.latency.calibration.devices import FITTED, refit
from search_space.latency.calibration.lean import KNOWN_DEVICES
from search_space.latency.coefficients import NOISE
from search_space.latency.model import DeviceModel
from topformer.codec import to_json
from topformer.errors import InputError
from topformer.files import write_json, write_text


def write_device(calibration: Calibration, parent: Path, *, overwrite: bool = False) -> Path:
    """Write the device as a folder that `topformer latency --device PATH` reads; the folder.

    Raises:
        InputError: There is such a folder already.
        StorageError: It cannot be written.
    """
    folder = parent / calibration.model.name
    if (folder / "device.toml").exists() and not overwrite:
        raise InputError(f"there is a device in {folder} already; choose another name, or ask for it to be overwritten")
    write_text(folder / "measured.csv", _measured_csv(calibration))
    write_text(folder / "device.toml", _device_toml(calibration))
    write_coefficients(folder)
    return folder


def write_coefficients(folder: Path) -> DeviceModel:
    """Fit the rows of a device's folder anew and write its coefficients beside them; the model.

    Raises:
        InputError: A file of the folder is missing or broken; the message names it.
        StorageError: The file cannot be written.
    """
    model, values = refit(folder)
    write_json(folder / coefficients_file.FILE, values)
    return model


def _device_toml(calibration: Calibration) -> str:
    setup = calibration.model.setup
    values = {item.name: getattr(setup, item.name) for item in fields(setup) if item.name != "name"}
    if calibration.method is Method.SCALE:
        values["prior"] = calibration.prior.name
    if calibration.method is Method.LEAN:
        values["prior"] = KNOWN_DEVICES
    # Strings and numbers of JSON in ASCII are those of TOML.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value not in ("", 0.0))


def _measured_csv(calibration: Calibration) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("network", "design", "height", "width", "latency_ms", "role", "source", "noise"))
    for row, check, network in zip(calibration.rows, calibration.model.rows, calibration.networks, strict=True):
        design = json.dumps(to_json(row.design), separators=(",", ":"))
        stable = "" if row.stable else ", not stable"
        source = f"{row.source}, {row.finished}, median {row.median_ms:.6g} ms{stable}"
        noise = "" if network.noise == NOISE else repr(network.noise)
        size = (row.height, row.width)
        table.writerow((row.candidate.fingerprint, design, *size, repr(check.measured_ms), FITTED, source, noise))
    return text.getvalue()
