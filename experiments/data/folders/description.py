"""What a folder says of itself in `dataset.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.data.folders.labels import IGNORED
from topformer.errors import DataError, unknown_name
from topformer.files import read_json
from topformer.kinds import Entries, Integer, Kind, Names, OneOf, Text
from topformer.schema import key, read

_CHANNEL = Integer(0, 255)


@dataclass(frozen=True, slots=True)
class Palette(Kind):
    """A list of colours, each as red, green and blue from 0 to 255."""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        if not isinstance(value, list):
            return [f"{where} must be a list of colours, got {value!r}"]
        wrong = [one for one in value if not isinstance(one, list) or len(one) != 3 or any(map(_wrong, one))]
        return [f"a colour of {where} must be three integers from 0 to 255, got {one!r}" for one in wrong[:1]]


def _wrong(channel: object) -> bool:
    return bool(_CHANNEL.problems("", channel))


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The keys of `dataset.json`; a folder needs none of them."""

    name: str = field(default="", metadata=key(Text(), "What a metric is called after."))
    classes: tuple[str, ...] = field(default=(), metadata=key(Names(may_be_empty=True), "Names of the classes."))
    ignore: int = field(default=0, metadata=key(OneOf((0, IGNORED)), "Label value that is ignored."))
    groups: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, metadata=key(Entries(Names()), "Names of groups of classes, each with its classes.")
    )
    palette: tuple[tuple[int, int, int], ...] = field(default=(), metadata=key(Palette(), "A colour for each class."))
    dataset: str = field(default="", metadata=key(Text(), "The known data set that it is."))

    def __post_init__(self) -> None:
        for group, members in self.groups.items():
            for name in members:
                if name not in self.classes:
                    raise DataError(f"group {group}: {unknown_name('class', name, self.classes)}")


def read_description(path: Path) -> Mapping[str, Any]:
    """The keys that a `dataset.json` gives, checked.

    Raises:
        DataError: It cannot be read, or keys, types or values are wrong; the message lists all of them.
    """
    values = read_json(path, error=DataError)
    try:
        read(Description, values, whole="a data set", error=DataError)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    given: Mapping[str, Any] = values
    return given
