"""The report of a device: its errors are those of fits that did not see the network, and its page says them."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.plots.latency import draw_shares, save_device, save_shares
from docs.make.devices import DOCS, device_page, devices_page
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from search_space.latency.calibration.left_out import Errors, device_report
from search_space.latency.devices import devices
from search_space.latency.explain import explain
from topformer import TINY
from topformer.errors import StorageError


def test_errors_are_mean_and_largest_size() -> None:
    found = Errors.of([0.1, -0.3, 0.2])
    assert (found.mean, found.largest) == pytest.approx((0.2, 0.3))


def test_macs_alone_are_as_far_off_as_known() -> None:
    # Leave-one-out over the four TopFormer rows of Table 1, by hand: 13.6 % on average, 18.0 % at most.
    found = device_report("snapdragon-865")
    assert found.macs_out is not None
    assert (found.macs_out.mean, found.macs_out.largest) == pytest.approx((0.136, 0.180), abs=0.001)
    assert found.row_out.mean < 0.03
    assert found.row_out.largest < 0.05


@pytest.mark.parametrize("name", devices())
def test_the_model_beats_macs_and_its_intervals_hold(name: str) -> None:
    found = device_report(name)
    stricter = found.family_out or found.row_out
    assert found.macs_out is not None
    assert stricter.mean < 0.3 * found.macs_out.mean
    assert (found.kendall or 0) >= (found.kendall_macs or 1)
    assert (found.inside or 0) >= 0.9


def test_whole_families_are_predicted_on_a_snapdragon_855() -> None:
    found = device_report("snapdragon-855")
    assert found.family_out is not None
    assert found.family_out.mean < 0.03
    assert found.family_out.largest < 0.13
    assert (found.kendall or 0) > 0.97


@pytest.mark.parametrize("name", devices())
def test_the_pages_are_those_of_the_data(name: str) -> None:
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == device_page(device_report(name))


def test_the_table_of_all_devices_is_that_of_the_data() -> None:
    assert (DOCS / "README.md").read_text(encoding="utf-8") == devices_page([device_report(name) for name in devices()])


def test_shares_fill_their_bars() -> None:
    told = explain(device("snapdragon-865"), Candidate(design=TINY, height=512, width=512))
    ax = Figure().add_subplot()
    draw_shares(told.shares(), ax, printed={"macs": 0.1})
    ends = [patch.get_x() + patch.get_width() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert sorted(ends)[-3:] == pytest.approx([1, 1, 1])


def test_figures_are_written_and_a_bad_path_is_named(tmp_path: Path) -> None:
    told = explain(device("snapdragon-865"), Candidate(design=TINY, height=512, width=512))
    first = save_shares(told, tmp_path / "shares.png", title="Tiny", printed=True)
    second = save_device(device_report("raspberry-pi-5"), tmp_path / "device.png")
    for path in (first, second):
        assert matplotlib.image.imread(path).shape[0] > 500
    with pytest.raises(StorageError, match="cannot write the figure"):
        save_shares(told, tmp_path / "missing" / "shares.png", title="")
    with pytest.raises(StorageError, match="cannot write the figure"):
        save_shares(told, tmp_path / "shares.strange", title="")


def test_a_device_without_families_says_so() -> None:
    assert "too few families" in device_page(replace(device_report("snapdragon-865"), family_out=None))
