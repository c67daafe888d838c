"""How well a new device is predicted from one, two or three rows, as a page: `python -m docs.make.new_device`.

Every known device is taken as new in turn. It takes five minutes.
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.reports.text_table import TextTable, markdown
from search_space.latency.calibration.devices_left_out import (
    DRAWS,
    LeftOutDevices,
    NewDevicePrediction,
    leave_devices_out,
)
from search_space.latency.calibration.known_devices import DEVICE, FOLDER, published_devices
from topformer.csv_file import whole_lines

PAGE = Path(__file__).parent.parent / "devices" / "new-device.md"

COUNTS: tuple[int | None, ...] = (1, 2, 3, None)
"""Rows of the new device; None for all but the predicted one."""

BY_DEVICE = 3
"""Rows of the table of devices."""

Found = dict[tuple[int | None, bool], list[NewDevicePrediction]]
"""Number of rows, and whether the network was timed elsewhere, to the predictions."""


def found() -> Found:
    """Every prediction of the page."""
    known = published_devices()
    return {(count, timed): leave_devices_out(known, count, timed=timed) for count in COUNTS for timed in (True, False)}


def page(predictions: Found) -> str:
    """The page in Markdown."""
    devices = {one.device for one in predictions[BY_DEVICE, True]}
    return "\n".join(
        [
            "# A new device\n\nWritten by `python -m docs.make.new_device`; do not edit.\n",
            f"Each of {len(devices)} devices of ncnn's public table was taken as new: so many of its networks, drawn "
            f"at random ({DRAWS} times), are its rows; the others are predicted from them and the other devices. "
            "*Timed elsewhere*: the network was timed on those, and what it is off by there carries over. *New*: it is "
            "taken out of all of them first.\n",
            markdown(rows_table(predictions)),
            f"\nBy device, from {BY_DEVICE} rows:\n",
            markdown(device_table(predictions)),
        ]
    )


def rows_table(predictions: Found) -> TextTable:
    """Errors by number of rows."""
    header = (
        "rows", "network", "error", "one in 20 above", "in the interval", "Kendall", "MACs alone", "MACs' Kendall",
    )  # fmt: skip
    cells = [
        (
            "all others" if count is None else str(count),
            "timed elsewhere" if timed else "new",
            f"{one.error:.1%}",
            f"{one.error_95:.0%}",
            f"{one.inside:.1%}",
            f"{one.kendall:.3f}",
            f"{one.macs_error:.0%}",
            f"{one.kendall_macs:.3f}",
        )
        for (count, timed), each in predictions.items()
        for one in [LeftOutDevices.of(each)]
    ]
    return TextTable.of("By rows", header, cells, left=["network"])


def device_table(predictions: Found) -> TextTable:
    """Errors by device."""
    cells = [
        (one["device"], one["chip"], one["core"], *device_cells(one["device"], predictions))
        for one in whole_lines(FOLDER / "devices.csv", DEVICE, ())
    ]
    header = ("device", "chip", "cores", "timed elsewhere", "in the interval", "new", "in the interval")
    return TextTable.of("By device", header, cells, left=["chip", "cores"])


def device_cells(device: str, predictions: Found) -> Sequence[str]:
    """Error and coverage of one device, for networks timed elsewhere and for new ones."""
    cells = []
    for timed in (True, False):
        own = [one for one in predictions[BY_DEVICE, timed] if one.device == device]
        found = LeftOutDevices.of(own)
        cells += [f"{found.error:.1%}", f"{found.inside:.0%}"]
    return cells


if __name__ == "__main__":
    PAGE.write_text(page(found()), encoding="utf-8")
