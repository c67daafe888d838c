"""How a network is timed."""

from dataclasses import dataclass

from topformer.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a network is timed.

    Attributes:
        warmup: Runs of each network that are not counted.
        runs: Runs of each network that are counted.
        seconds: Counted time after which no further round of runs begins, though there are fewer than `runs`.
        repeats: How often a measurement that is not stable is made again.
        timeout: Seconds after which the device is taken to hang.

    Raises:
        InputError: A number is out of range.
    """

    warmup: int = 10
    runs: int = 50
    seconds: float = 10.0
    repeats: int = 3
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name, least in (("warmup", 1), ("runs", 5), ("repeats", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("seconds", "timeout"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}")
