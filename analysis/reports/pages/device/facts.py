"""What all cards of the page of a device need to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from search_space.candidate import Candidate
from search_space.latency.calibration.left_out import DeviceReport
from search_space.latency.estimate import LatencyEstimate
from topformer.presets import PRESETS

SIDES = (512, 256)
"""Input sizes in pixels that the presets are predicted at."""


@dataclass(frozen=True, eq=False)
class DeviceFacts:
    """A device.

    Attributes:
        name: What commands call it.
        report: What its own data say of its model.
    """

    name: str
    report: DeviceReport

    @cached_property
    def presets(self) -> Mapping[str, LatencyEstimate]:
        """Preset and size, such as `tiny at 512 x 512`, to what is predicted for it."""
        return {
            f"{name} at {side} x {side}": self.report.model.estimate(Candidate(design=design, height=side, width=side))
            for side in SIDES
            for name, design in PRESETS.items()
        }
