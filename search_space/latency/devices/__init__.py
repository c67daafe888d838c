"""The devices that ship with the project: a folder of data each, and their names, which need no numpy."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""One folder per device; `search_space.latency.calibration.devices.read_device` says what is in it."""


def devices() -> tuple[str, ...]:
    """Names of the devices that ship with the project, sorted."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/device.toml")))


def folder_of(name: str) -> Path:
    """Where the data of a shipped device stand."""
    return FOLDER / name
