"""What a device replies, checked before anything is computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.measure.commands import MeasureError, shown
from topformer.files import parse_json
from topformer.kinds import is_number

ROLES = ("candidate", "reference")
"""The two networks that run in turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReply:
    """The runs of both networks, and what the device says of itself; None or empty for what it does not expose.

    Attributes:
        candidate_ms: Milliseconds of every run of the candidate.
        reference_ms: The same of the reference network.
        device: Name of the machine.
        soc: Name of its chip or board.
        core: Which core ran.
        abi: Instruction set.
        runtime_version: Version of the engine.
        precision: Number format of the arithmetic.
        clock_mhz_before: Clock of the core after the warm-up.
        clock_mhz_after: The same after the last run.
        temperature_c_before: Temperature after the warm-up.
        temperature_c_after: The same after the last run.
    """

    candidate_ms: tuple[float, ...]
    reference_ms: tuple[float, ...]
    device: str = ""
    soc: str = ""
    core: str = ""
    abi: str = ""
    runtime_version: str = ""
    precision: str = "fp32"
    clock_mhz_before: float | None = None
    clock_mhz_after: float | None = None
    temperature_c_before: float | None = None
    temperature_c_after: float | None = None


_TEXTS = ("device", "soc", "core", "abi", "runtime_version")
_NUMBERS = ("clock_mhz_before", "clock_mhz_after", "temperature_c_before", "temperature_c_after")


def read_reply(output: str, device: str) -> DeviceReply:
    """The reply in the last line of what the measuring script printed.

    Raises:
        MeasureError: The line is no reply, or says that the device cannot measure.
    """
    lines = [line for line in output.splitlines() if line.strip()]
    try:
        values = parse_json(lines[-1], device, MeasureError) if lines else None
    except MeasureError:
        values = None
    if not isinstance(values, dict):
        raise MeasureError(f"{device}: expected one line of JSON, got {shown(lines[-1:]) or 'nothing'!r}")
    if "error" in values:
        raise MeasureError(f"{device}: {shown([str(values['error'])])}")
    stated = values.get("samples_ms")
    samples = stated if isinstance(stated, dict) else {}
    return DeviceReply(
        candidate_ms=times(samples.get("candidate"), device),
        reference_ms=times(samples.get("reference"), device),
        **_facts(values),
    )


def _facts(values: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: str(values.get(name) or "") for name in _TEXTS}
    return {**texts, **{name: _number(values.get(name)) for name in _NUMBERS}}


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def times(values: object, device: str) -> tuple[float, ...]:
    """Milliseconds of at least one run.

    Raises:
        MeasureError: There are none, or one is no finite number above 0.
    """
    runs = tuple(values) if isinstance(values, (list, tuple)) else ()
    bad = [value for value in runs if not is_number(value) or value <= 0]
    if not runs or bad:
        raise MeasureError(f"{device}: times must be finite numbers above 0, got {shown([repr((bad or [values])[0])])}")
    return tuple(map(float, runs))
