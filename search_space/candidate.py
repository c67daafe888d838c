"""A Candidate: a design together with the image size it is used at."""

from dataclasses import dataclass

from topformer.bounds import SIDE
from topformer.codec import canonical, fingerprint
from topformer.design import Design
from topformer.errors import DesignError, shown
from topformer.schema import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a study tries: one network at one input size.

    Attributes:
        design: The network.
        height: Input height in pixels.
        width: Input width in pixels.

    Raises:
        DesignError: The design is none, or a side no integer within `topformer.bounds.SIDE`.
    """

    design: Design
    height: int
    width: int

    def __post_init__(self) -> None:
        if not isinstance(self.design, Design):
            raise DesignError(f"the design of a candidate must be a Design, got {shown(self.design)}")
        for name in ("height", "width"):
            check(f"input {name}", getattr(self, name), SIDE)

    @property
    def fingerprint(self) -> str:
        """The design's fingerprint and the input size, such as `3f9a1c2b7d04@512x512`."""
        return f"{fingerprint(self.design)}@{self.height}x{self.width}"

    def canonical(self) -> "Candidate":
        """The same candidate with the canonical form of its design."""
        return Candidate(design=canonical(self.design), height=self.height, width=self.width)
