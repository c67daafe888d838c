"""The page of a device as one file."""

from dataclasses import replace

from analysis.reports.pages.device.device_page import device_page
from analysis.reports.pages.device.facts import SIDES, DeviceFacts
from search_space.latency.calibration.left_out import device_report
from tests.analysis_tests.reports.pages.run.runs import HOSTILE
from topformer.presets import PRESETS


def test_a_name_stays_text() -> None:
    report = device_report("snapdragon-865-paddle-lite")
    model = replace(report.model, setup=replace(report.model.setup, chip=HOSTILE, source=HOSTILE))
    html = device_page(DeviceFacts(HOSTILE, replace(report, model=model))).html
    assert "<img" not in html
    assert html.count("</script>") == html.count("<script")


def test_every_preset_is_predicted_at_every_size() -> None:
    found = DeviceFacts("pi", device_report("raspberry-pi-4")).presets
    assert len(found) == len(PRESETS) * len(SIDES)
    assert all(one.low < one.milliseconds < one.high for one in found.values())
