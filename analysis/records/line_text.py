"""A record's line in parts: what is long or the same in many records is kept, or known, by its text."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from analysis.records.design_text import DesignText


class ObjectText(Mapping[str, Any]):
    """A JSON object as the text that it was read from, a third as large as when it is decoded."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text
        """The JSON, braces included; the caller knows that it is an object."""

    def __getitem__(self, name: str) -> Any:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return repr(self._decoded())

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping, which would raise and catch an error where the name is missing."""
        return self._decoded().get(name, default)

    def _decoded(self) -> dict[str, Any]:
        value: dict[str, Any] = _DECODER.decode(self.text)
        return value


def decode_line(line: bytes) -> Any:
    """The JSON value of a line; that of a record has its design and details as text.

    Raises:
        ValueError: The line is no JSON; NaN and infinity are none.
        RecursionError: It is nested too deep.
    """
    return _in_parts(line) or json.loads(line, parse_constant=_refuse_constant)


def _in_parts(line: bytes) -> dict[str, Any] | None:
    """The object of a line with its parts as text; None where it is not written as records are, or is no JSON.

    Each part is an object of its own, and without them the line is one too: so the whole is.
    """
    if not line.isascii():
        return None
    head, _, text = line.decode("ascii").removesuffix("\n").partition(',"design":{')
    design, _, text = text.partition('},"height":')
    middle, _, text = text.partition('},"details":{')
    details, _, text = text.partition('},"reason":')
    tail, _, versions = text.partition(',"versions":{')
    if not versions.endswith("}}") or (design_text := DesignText.of(design)) is None:
        return None
    rest = _value(f'{head},"design":null,"height":{middle}}},"details":null,"reason":{tail},"versions":null}}')
    parts = {"design": design_text, "details": _object(details), "versions": _shared_object(versions[:-2])}
    # A part that is none, or a null that is no member of the record: a text of these stood deeper, as a detail.
    if rest is None or any(part is None or rest.get(name, 0) is not None for name, part in parts.items()):
        return None
    return rest | parts


def _value(text: str) -> dict[str, Any] | None:
    """The JSON object; None of any other text."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object(text: str) -> ObjectText | None:
    """The object between its braces; None where the text goes on after its end."""
    braced = f"{{{text}}}"
    return None if _value(braced) is None else ObjectText(braced)


@lru_cache(maxsize=256)
def _shared_object(text: str) -> Mapping[str, Any] | None:
    return _value(f"{{{text}}}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: `json.loads` makes one for each line."""
