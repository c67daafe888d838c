"""Checks of the fields of a design; each failure names the field, shows the value and says what is accepted."""

from collections.abc import Iterable
from enum import StrEnum
from math import isfinite

from topformer.errors import DesignError, unknown_name


def check_positive(name: str, value: object, least: int = 1) -> None:
    """`value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DesignError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_odd(name: str, value: int) -> None:
    """`value` is an odd positive integer."""
    check_positive(name, value)
    if value % 2 == 0:
        raise DesignError(f"{name} must be odd, got {value!r}")


def check_ratio(name: str, value: object) -> None:
    """`value` is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value <= 0:
        raise DesignError(f"{name} must be a finite number above 0, got {value!r}")


def check_among(name: str, value: object, accepted: Iterable[object]) -> None:
    """`value` is one of `accepted`."""
    choices = tuple(accepted)
    if isinstance(value, bool) or value not in choices:
        raise DesignError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")


def check_member(name: str, value: object, kind: type[StrEnum]) -> None:
    """`value` is a member of the enumeration `kind`."""
    if not isinstance(value, kind):
        raise DesignError(unknown_name(name, value, [member.value for member in kind]))
