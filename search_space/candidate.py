"""A Candidate: a design together with the image size it is used at."""

from dataclasses import dataclass

from topformer.codec import canonical, fingerprint
from topformer.design import Design
from topformer.errors import DesignError

SMALLEST_SIDE = 32
"""Pixels; below it the coarsest token map would see less than one whole cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a study tries: one network at one input size.

    Attributes:
        design: The network.
        height: Input height in pixels.
        width: Input width in pixels.

    Raises:
        DesignError: A side is below 32 pixels or no integer.
    """

    design: Design
    height: int
    width: int

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if isinstance(side, bool) or not isinstance(side, int) or side < SMALLEST_SIDE:
                raise DesignError(f"input {name} must be an integer of at least {SMALLEST_SIDE} pixels, got {side!r}")

    @property
    def fingerprint(self) -> str:
        """The design's fingerprint and the input size, such as `3f9a1c2b7d04@512x512`."""
        return f"{fingerprint(self.design)}@{self.height}x{self.width}"

    def canonical(self) -> "Candidate":
        """The same candidate with the canonical form of its design."""
        return Candidate(design=canonical(self.design), height=self.height, width=self.width)
