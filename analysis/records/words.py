"""Texts of records that are kept once: of a hundred thousand records, most hold the same words."""

from collections.abc import Mapping
from functools import lru_cache
from sys import intern

from analysis.records.json_values import mapping, text


def word(where: str, value: object) -> str:
    """A text, the same object wherever it stands.

    Raises:
        RecordError: It is none.
    """
    return intern(text(where, value))


def texts(where: str, value: object) -> Mapping[str, str]:
    """A table of texts; errors as in `word`."""
    return {intern(name): intern(text(where, item, name)) for name, item in mapping(where, value).items()}


def shared_texts(where: str, value: object) -> Mapping[str, str]:
    """A table of texts of which there are few, such as versions: equal ones are one object; errors as in `word`."""
    return _shared(*texts(where, value).items())


@lru_cache(maxsize=256)
def _shared(*items: tuple[str, str]) -> Mapping[str, str]:
    return dict(items)
