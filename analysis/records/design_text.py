"""Designs of records as the text that they were read from: a hundred thousand share their parts, few are decoded."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, Self

_MEMBER = re.compile(r'"\w+":(?:\[[^\[\]]*\]|\{[^{}]*\}|"[^"\\]*"|[^,"\[\]{}]+)(?:,|$)')
"""A member of an object as `encode` writes it, whose value holds no list within a list."""
_CACHED = 1 << 14


class _Member(NamedTuple):
    """Name and text of a member, such as `width` and `"width":320`, and that text with its keys in order."""

    name: str
    text: str
    ordered: str


class DesignText(Mapping[str, Any]):
    """A design as JSON that is decoded member by member where it is asked for; equal members are one object."""

    __slots__ = ("_members",)

    def __init__(self, members: tuple[_Member, ...]) -> None:
        self._members = members

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The object between its braces; None for text that must be decoded to be known."""
        texts = _MEMBER.findall(text)
        if sum(map(len, texts)) != len(text) or text.endswith(","):
            return None
        try:
            members = tuple(map(_member, texts))
        except ValueError:
            return None
        return cls(members) if len({member.name for member in members}) == len(members) else None

    def __getitem__(self, name: str) -> Any:
        for member in self._members:
            if member.name == name:
                return json.loads(f"{{{member.text}}}")[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (member.name for member in self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(dict(self))

    @property
    def text(self) -> str:
        """The JSON, as it was read."""
        return "{" + ",".join([member.text for member in self._members]) + "}"

    @property
    def ordered(self) -> str:
        """The JSON with its keys in order at every depth."""
        # Names are words, so that the texts sort as their names do.
        return "{" + ",".join(sorted([member.ordered for member in self._members])) + "}"


def design_text(design: Mapping[str, Any], *, ordered: bool = False) -> str:
    """A design as JSON without spaces, perhaps with its keys in order."""
    if isinstance(design, DesignText):
        return design.ordered if ordered else design.text
    return json.dumps(design, sort_keys=ordered, separators=(",", ":"))


@lru_cache(_CACHED)
def _member(text: str) -> _Member:
    text = text.removesuffix(",")
    member = json.loads(f"{{{text}}}", parse_constant=_refuse)
    (name,) = member
    return _Member(name, text, design_text(member, ordered=True)[1:-1])


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
