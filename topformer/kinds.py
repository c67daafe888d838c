"""What a value of a file or an option may be, as data: the test, and what is accepted in words."""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, ClassVar, TypeAlias, TypeGuard

from topformer.errors import shown, unknown_name

JsonSchema: TypeAlias = dict[str, Any]
"""What a value may be, in the words of JSON Schema, draft 4: the one that editors of TOML know."""

_UNPRINTABLE = (
    "\\x00-\\x1f\\x7f-\\xa0\\xad\\u1680\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ue000-\\uf8ff\\ufeff"
)
"""What `str.isprintable` refuses, but for characters that are not assigned, as the inside of a character class."""
_END = "$(?!\\n)"
"""Of a text; a `$` alone is also before a last newline, for some engines."""


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer; True and False are none, though Python counts them among them."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, integer or not."""
    return is_integer(value) or (isinstance(value, float) and isfinite(value))


def number_in(text: str, number: type[int] | type[float] = float) -> float:
    """The number that a text is, in plain digits: Python's own reading also takes `1_000` and digits of other scripts.

    Raises:
        ValueError: It is none.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"{shown(text)} is no number")
    return number(text)


class Kind(ABC):
    """What a value may be."""

    __slots__ = ()

    @abstractmethod
    def problems(self, where: str, value: object) -> list[str]:
        """What is wrong with the value of the key `where`, a sentence each; nothing where it is accepted."""

    @abstractmethod
    def json_schema(self) -> JsonSchema:
        """The same for an editor: it accepts nothing that `problems` refuses, as far as such a schema can say it."""

    def read(self, where: str, value: Any) -> Any:  # noqa: ARG002
        """An accepted value in its final form."""
        return value


def _wrong(where: str, words: str, value: object) -> list[str]:
    return [f"{where} must be {words}, got {shown(value)}"]


@dataclass(frozen=True, slots=True)
class Integer(Kind):
    """An integer from `least` to `largest`.

    Attributes:
        least: Smallest value.
        largest: Largest value; by default one that no count of this project comes near.
        words: What is accepted, if it is not said by `least`.
    """

    least: int = 1
    largest: int = 10**12
    words: str = ""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind; a number that is only too large is told the largest."""
        if is_integer(value) and self.least <= value <= self.largest:
            return []
        words = self.words or f"an integer of at least {self.least}"
        if is_integer(value) and value > self.largest and str(self.largest) not in words:
            words = f"at most {self.largest:,}"
        return _wrong(where, words, value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "integer", "minimum": self.least, "maximum": self.largest}


@dataclass(frozen=True, slots=True)
class Odd(Kind):
    """An odd integer from 1 to `largest`."""

    largest: int

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        found = Integer(1, self.largest).problems(where, value)
        return found or ([f"{where} must be odd, got {value!r}"] if is_integer(value) and value % 2 == 0 else [])

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "integer", "minimum": 1, "maximum": self.largest, "not": {"multipleOf": 2}}


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A finite number from `least` to `largest`, integer or not."""

    words: str
    least: float = -inf
    largest: float = inf

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        return [] if is_number(value) and self.least <= value <= self.largest else _wrong(where, self.words, value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        # Infinity is a number for some readers of schemas.
        largest = sys.float_info.max
        least, most = max(self.least, -largest), min(self.largest, largest)
        return {"type": "number", "minimum": least, "maximum": most}


@dataclass(frozen=True, slots=True)
class Between(Kind):
    """A number strictly between two others."""

    low: float
    high: float

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        fits = is_number(value) and self.low < value < self.high
        return [] if fits else _wrong(where, f"a number between {self.low} and {self.high}, both excluded", value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        bounds = {"minimum": self.low, "exclusiveMinimum": True, "maximum": self.high, "exclusiveMaximum": True}
        return {"type": "number", **bounds}


@dataclass(frozen=True, slots=True)
class Flag(Kind):
    """True or false."""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        return [] if isinstance(value, bool) else _wrong(where, "true or false", value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """One line of text, not empty.

    Control characters are refused: they would break the lines of tables, or command a terminal.

    Attributes:
        form: A regular expression that the whole text fits; empty for any.
        words: What is accepted.
    """

    form: str = ""
    words: str = "a non-empty string"

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        if not isinstance(value, str) or not value.strip():
            return _wrong(where, self.words, value)
        if not value.isprintable():
            return _wrong(where, "one line without control characters", value)
        return [] if not self.form or re.fullmatch(self.form, value) else _wrong(where, self.words, value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        one = f"[^{_UNPRINTABLE}]"
        form = f"(?={self.form}{_END})" if self.form else ""
        return {"type": "string", "pattern": rf"^{form}{one}*[^\s{_UNPRINTABLE}]{one}*{_END}"}


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of several names; `names` may be a function where they are those of files.

    Attributes:
        names: The names.
        aliases: Other names for some of them, which are accepted and not listed.
    """

    names: Iterable[str] | Callable[[], Iterable[str]]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def accepted(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self.names() if callable(self.names) else self.names)

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind, with the nearest name."""
        if not isinstance(value, str) or not value.strip():
            return _wrong(where, "a non-empty string", value)
        known = value in self.aliases or value in self.accepted()
        return [] if known else [unknown_name(where, value, self.accepted())]

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "string", "enum": [*self.accepted(), *self.aliases]}

    def read(self, where: str, value: Any) -> Any:  # noqa: ARG002
        """The name that is meant."""
        return self.aliases.get(value, value)


@dataclass(frozen=True, slots=True)
class OneOf(Kind):
    """One of several values that are no names."""

    values: tuple[object, ...]

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind; True is not 1."""
        fits = not isinstance(value, bool) and value in self.values
        return [] if fits else _wrong(where, f"one of {', '.join(map(str, self.values))}", value)

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Names(Kind):
    """A list of different strings, which may have to be among those that are accepted.

    Attributes:
        accepted: Such names.
        item: What one is called in messages about an unknown name.
        may_be_empty: Whether it may.
    """

    accepted: tuple[str, ...] | None = None
    item: str = ""
    may_be_empty: bool = False
    words: ClassVar[str] = "a non-empty list of strings"

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind; every unknown name is one."""
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            return _wrong(where, "a list of strings" if self.may_be_empty else self.words, value)
        if not value and not self.may_be_empty:
            return _wrong(where, self.words, value)
        if len(set(value)) != len(value):
            return _wrong(where, "a list without repetitions", value)
        if self.accepted is None:
            return [problem for one in value for problem in Text().problems(f"an entry of {where}", one)]
        unknown = [one for one in value if one not in self.accepted]
        return [unknown_name(self.item or where, one, self.accepted) for one in unknown]

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        item = Text().json_schema() if self.accepted is None else {"type": "string", "enum": list(self.accepted)}
        return {"type": "array", "items": item, "uniqueItems": True, "minItems": int(not self.may_be_empty)}

    def read(self, where: str, value: Any) -> tuple[str, ...]:  # noqa: ARG002
        """As a tuple."""
        return tuple(value)


@dataclass(frozen=True, slots=True)
class Entries(Kind):
    """A table whose values are all of one kind, and whose keys are free or from a list."""

    values: Kind
    keys: Collection[str] | None = None

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind, for every entry."""
        if not isinstance(value, Mapping):
            return _wrong(where, "a table", value)
        found = []
        for name, item in value.items():
            if self.keys is not None and name not in self.keys:
                found.append(unknown_name(f"key of {where}", name, self.keys))
            else:
                found += self.values.problems(f"{where}.{name}", item)
        return found

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        if self.keys is None:
            return {"type": "object", "additionalProperties": self.values.json_schema()}
        known = {name: self.values.json_schema() for name in self.keys}
        return {"type": "object", "properties": known, "additionalProperties": False}

    def read(self, where: str, value: Any) -> dict[str, Any]:
        """As a dictionary."""
        return {name: self.values.read(f"{where}.{name}", item) for name, item in value.items()}


@dataclass(frozen=True, slots=True)
class Fits(Kind):
    """A value that a function accepts."""

    words: str
    accepts: Callable[[object], bool]

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        return [] if self.accepts(value) else _wrong(where, self.words, value)

    def json_schema(self) -> JsonSchema:
        """Anything: what a function decides, no schema can say."""
        return {}


@dataclass(frozen=True, slots=True)
class Anything(Kind):
    """A value, or a table, whose meaning is checked elsewhere."""

    table: bool = False

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        return _wrong(where, "a table", value) if self.table and not isinstance(value, Mapping) else []

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        return {"type": "object"} if self.table else {}
