"""What many runs of a network say, and which of them are not to be trusted."""

import pytest

from experiments.measure import device_script
from experiments.measure.stability import LARGEST_SPREAD, complaint, timing, unsteadiness


def test_median_and_spread_of_runs() -> None:
    found = timing([3.0, 1.0, 2.0, 5.0, 4.0])
    assert (found.median_ms, found.min_ms, found.mad_ms, found.runs) == (3.0, 1.0, 1.0, 5)
    assert found.p90_ms == pytest.approx(4.6)  # 9/10 of the way from the first to the fifth: between 4 and 5
    assert found.spread == pytest.approx(1.6 / 3)


@pytest.mark.parametrize(
    ("samples", "clocks", "said"),
    [
        ([10.0] * 20, (None, None), ""),
        ([10.0] * 20, (2400.0, 2390.0), ""),
        ([10.0] * 20, (2400.0, 1800.0), "the clock fell from 2400 to 1800 MHz"),
        ([10.0, 10.0, 10.0, 11.0] * 5, (None, None), "the 90th percentile is 10% above the median"),
        ([10.0] * 9 + [10.6] * 11, (None, None), "the network took 10, 10, 10.6, 10.6, 10.6 ms from start to end, 6%"),
    ],
)
def test_what_is_not_stable_is_named(
    samples: list[float], clocks: tuple[float | None, float | None], said: str
) -> None:
    found = complaint(samples, [5.0] * 20, *clocks)
    assert found.startswith(said)
    assert bool(found) == bool(said)


class Device:
    """A processor with a clock of its own, which slows down for good after some time: what a hot phone does."""

    def __init__(self, cool_seconds: float, slower: float) -> None:
        self.now = 0.0
        self._cool_seconds, self._slower = cool_seconds, slower

    def perf_counter(self) -> float:
        """Seconds since the start."""
        return self.now

    def run(self, milliseconds: float) -> None:
        """Compute for so long, or longer when hot."""
        self.now += milliseconds / 1e3 * (self._slower if self.now > self._cool_seconds else 1.0)


@pytest.mark.parametrize("cool_seconds", [0.15, 0.2, 0.3])
def test_a_device_that_slows_down_is_seen_though_most_runs_agree(
    monkeypatch: pytest.MonkeyPatch, cool_seconds: float
) -> None:
    device = Device(cool_seconds, 1.3)
    monkeypatch.setattr("experiments.measure.device_script.time.perf_counter", device.perf_counter)
    runners = {"candidate": lambda: device.run(10.0), "reference": lambda: device.run(5.0)}
    found = device_script.in_turns(runners, 50, 10.0)
    # The runs alone do not tell: their 90th percentile is their median, both of a hot processor.
    assert timing(found["candidate"]).spread < LARGEST_SPREAD
    assert "apart" in complaint(found["candidate"], found["reference"])
    assert unsteadiness(found["candidate"], found["reference"]) == pytest.approx(0.3)


def test_a_device_that_stays_cool_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(1e9, 1.3)
    monkeypatch.setattr("experiments.measure.device_script.time.perf_counter", device.perf_counter)
    runners = {"candidate": lambda: device.run(10.0), "reference": lambda: device.run(5.0)}
    found = device_script.in_turns(runners, 50, 10.0)
    assert complaint(found["candidate"], found["reference"]) == ""
    assert unsteadiness(found["candidate"], found["reference"]) == pytest.approx(0, abs=1e-9)


def test_a_reference_that_drifts_is_shown_from_start_to_end() -> None:
    reference = [5.0] * 20 + [5.1] * 10 + [5.4] * 20
    assert complaint([10.0] * 50, reference) == (
        "the reference took 5, 5, 5.1, 5.4, 5.4 ms from start to end, 8% apart (allowed: 5%)"
    )
