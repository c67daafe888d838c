"""The cards of the page of a device."""

import re
from functools import cache
from pathlib import Path

import pytest

from analysis.reports.pages.device import cards
from analysis.reports.pages.device.facts import DeviceFacts
from search_space.latency.calibration.left_out import DeviceReport, device_report
from search_space.latency.devices import folder_of
from tests.analysis_tests.reports.pages.texts import texts


@cache
def pi() -> DeviceReport:
    return device_report("raspberry-pi-4")


def test_every_card_speaks_of_a_whole_device() -> None:
    found = texts(cards, DeviceFacts("raspberry-pi-4", pi()))
    assert list(found) == ["summary", "fit", "errors", "parts", "held-out", "outside", "made"]
    # The same numbers as on the page of the documentation, docs/devices/raspberry-pi-4.md.
    assert "are off by 6.2% on average and 14.2% at most; a time per MAC alone is off by 55.3%." in found["summary"]
    assert "measured and predicted times is 0.95, of measured times and MACs 0.77" in found["summary"]
    assert re.search(r"ncnn vgg16\s+VGG\s+15.470\s+1071.85", found["fit"])
    assert "ncnn alexnet (ncnn alexnet): measured 139.4 ms, predicted 198.4" in found["fit"]
    assert re.search(r"tiny at 512 x 512\s+175.4 \[112.4, 273.6\]\s+22.5%\s+3.1%", found["parts"])
    assert re.search(r"arithmetic, GMACs: 0\.\d+ to [\d.]+", found["outside"])
    assert "never measured in a network that this device was fitted to" in found["outside"]
    assert "Cortex-A72 at 1.8 GHz" in found["made"]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_device_of_few_rows_has_a_page(rows: int, tmp_path: Path) -> None:
    folder = tmp_path / "board"
    folder.mkdir()
    setup = (folder_of("raspberry-pi-4") / "device.toml").read_text()
    (folder / "device.toml").write_text(f'{setup}\nprior = "snapdragon-855"\n')
    lines = "".join(f"{name},{name},512,512,{time},fitted,mine\n" for name, time in
                    [("tiny", 170), ("small", 300), ("base", 450)][:rows])  # fmt: skip
    (folder / "measured.csv").write_text(f"network,design,height,width,latency_ms,role,source\n{lines}")
    found = texts(cards, DeviceFacts(f"{folder}/", device_report(f"{folder}/")))
    assert ("too few networks" in found["errors"]) == (rows < 3)
    assert "held-out" not in found
    assert f"a model of {rows} measured network" in found["summary"]
    assert "tiny (TopFormer): measured 170 ms" in found["fit"]
