"""Checks of values read from JSON, and the way of any value into JSON; each failure names the key."""

from collections.abc import Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

from topformer.errors import RecordError
from topformer.kinds import is_integer


def plain(where: str, value: object) -> Any:
    """The value in JSON's own types: tuples become lists, numbers of numpy those of Python, NaN and infinity null.

    Raises:
        RecordError: The value has no JSON form.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if isfinite(value) else None
    if isinstance(value, Mapping):
        return {text(f"a key of {where}", name): plain(f"{where}.{name}", item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(f"{where}[{index}]", item) for index, item in enumerate(value)]
    raise RecordError(f"{where} must be plain JSON, got {value!r} of type {type(value).__name__}")


def mapping(where: str, value: object) -> dict[str, Any]:
    """`value` is a JSON object."""
    if not isinstance(value, dict):
        raise RecordError(f"{where} must be an object, got {value!r}")
    return value


def text(where: str, value: object, name: str = "") -> str:
    """`value` is a string; in a message it goes by `where`, or by its name there."""
    if not isinstance(value, str):
        raise RecordError(f"{where}{'.' if name else ''}{name} must be a string, got {value!r}")
    return value


def integer(where: str, value: object) -> int:
    """`value` is an integer."""
    if not is_integer(value):
        raise RecordError(f"{where} must be an integer, got {value!r}")
    return value


def number(where: str, value: object, name: str = "") -> float:
    """`value` is a finite number; an integer stays one, so that counts keep every digit; `name` as in `text`."""
    if type(value) is float and isfinite(value):
        # Most are; asking whether a value is any kind of real number takes ten times as long.
        return value
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise RecordError(f"{where}{'.' if name else ''}{name} must be a finite number, got {value!r}")
    return int(value) if isinstance(value, Integral) else float(value)
