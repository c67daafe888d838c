"""The page of new devices: a row of it is computed again, and the text about latency has its table."""

import pytest

from docs.make.new_device import BY_DEVICE, PAGE
from search_space.latency.calibration.devices_left_out import LeftOutDevices, leave_devices_out
from search_space.latency.calibration.known_devices import published_devices


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split("|")]


@pytest.mark.parametrize("name", ["raspberry-pi-5", "snapdragon-835"])
def test_a_device_is_predicted_as_the_page_says(name: str) -> None:
    found = LeftOutDevices.of(leave_devices_out(published_devices(), BY_DEVICE, timed=True, new=[name]))
    line = next(line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {name} |"))
    assert cells(line)[3:5] == [f"{found.error:.1%}", f"{found.inside:.0%}"]
    assert found.error < 0.5 * found.macs_error


def test_the_text_about_latency_has_the_table() -> None:
    text = (PAGE.parent.parent / "latency.md").read_text("utf-8")
    table = [
        line for line in PAGE.read_text("utf-8").splitlines() if " timed elsewhere | " in line or " new | " in line
    ]
    rows = [line for line in table if line.startswith(("| 1 ", "| 2 ", "| 3 ", "| all others "))]
    assert len(rows) == 8
    assert all(line in text for line in rows)
