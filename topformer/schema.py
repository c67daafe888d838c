"""Reading one table of a study file: types, values and the nearest name of a wrong key."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from topformer.errors import StudyError, unknown_name


class Table:
    """A table of a study file whose keys are taken one by one; `close` refuses what is left over.

    Attributes:
        where: Dotted name for messages, such as `space`; empty for the file itself.
    """

    def __init__(self, where: str, values: object, keys: Iterable[str]) -> None:
        """Check the keys at once.

        Raises:
            StudyError: `values` is no table, or has a key that is not in `keys`.
        """
        self.where = where
        accepted = list(keys)
        if not isinstance(values, Mapping):
            raise StudyError(f"{where or 'a study'} must be a table, got {values!r}")
        for key in values:
            if key not in accepted:
                raise StudyError(unknown_name(f"key of {where}" if where else "key of a study", key, accepted))
        self._values = values

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty string."""
        value = self._get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a non-empty string", value)
        return value

    def among(self, key: str, accepted: Iterable[str], default: str | None = None) -> str:
        """One of the accepted names."""
        value, names = self.text(key, default), list(accepted)
        if value not in names:
            raise StudyError(unknown_name(self._name(key), value, names))
        return value

    def integer(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """An integer of at least `least`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._wrong(key, f"an integer of at least {least}", value)
        return value

    def positive(self, key: str) -> float | None:
        """A finite number above 0, or None where the key is absent."""
        if key not in self._values:
            return None
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value <= 0:
            raise self._wrong(key, "a finite number above 0", value)
        return value

    def between(self, key: str, low: float, high: float, default: float) -> float:
        """A number strictly between `low` and `high`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value < high:
            raise self._wrong(key, f"a number between {low} and {high}, both excluded", value)
        return float(value)

    def names(self, key: str, default: Iterable[str] | None = None) -> tuple[str, ...]:
        """A non-empty list of different strings."""
        value = self._get(key, None if default is None else list(default))
        if not isinstance(value, (list, tuple)) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a non-empty list of strings", value)
        if len(set(value)) != len(value):
            raise self._wrong(key, "a list without repetitions", value)
        return tuple(value)

    def table(self, key: str) -> Mapping[str, Any]:
        """A table, empty where the key is absent."""
        value = self._values.get(key, {})
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table", value)
        return value

    def _get(self, key: str, default: object) -> object:
        if key not in self._values and default is None:
            raise StudyError(f"{self._name(key)} is missing")
        return self._values.get(key, default)

    def _name(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def _wrong(self, key: str, accepted: str, value: object) -> StudyError:
        return StudyError(f"{self._name(key)} must be {accepted}, got {value!r}")
