"""What a folder says about itself: `tokenworld.json`, `dataset.json` or `classes.txt`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.data.folders.labels import IGNORED, MOST_CLASSES, numbered
from experiments.data.listing import names_listed
from experiments.data.tokenworld.write import MANIFEST, read_manifest
from topformer.bounds import NAME
from topformer.errors import DataError, shown, unknown_name
from topformer.files import read_json
from topformer.kinds import Entries, Integer, JsonSchema, Kind, Names, OneOf, Text, is_integer
from topformer.schema import key, read

DESCRIPTIONS = (MANIFEST, "dataset.json", "classes.txt")
"""Files that say themselves what a folder holds, the first one first."""

_CHANNEL = Integer(0, 255)


@dataclass(frozen=True, slots=True)
class Classes(Kind):
    """Names of classes, or their number."""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        if is_integer(value) and 0 < value <= MOST_CLASSES:
            return []
        if isinstance(value, list) and len(value) <= MOST_CLASSES:
            return Names(may_be_empty=True).problems(where, value)
        return [f"{where} must be a list of at most {MOST_CLASSES} names, or their number, got {shown(value)}"]

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        names = {**Names(may_be_empty=True).json_schema(), "maxItems": MOST_CLASSES}
        return {"anyOf": [names, Integer(1, MOST_CLASSES).json_schema()]}

    def read(self, where: str, value: Any) -> tuple[str, ...]:  # noqa: ARG002
        """The names."""
        return numbered(value) if is_integer(value) else tuple(value)


@dataclass(frozen=True, slots=True)
class Palette(Kind):
    """A list of colours, each as red, green and blue from 0 to 255."""

    def problems(self, where: str, value: object) -> list[str]:
        """As in every kind."""
        if not isinstance(value, list):
            return [f"{where} must be a list of colours, got {value!r}"]
        wrong = [one for one in value if not isinstance(one, list) or len(one) != 3 or any(map(_wrong, one))]
        return [f"a colour of {where} must be three integers from 0 to 255, got {one!r}" for one in wrong[:1]]

    def json_schema(self) -> JsonSchema:
        """As in every kind."""
        colour = {"type": "array", "items": _CHANNEL.json_schema(), "minItems": 3, "maxItems": 3}
        return {"type": "array", "items": colour}


def _wrong(channel: object) -> bool:
    return bool(_CHANNEL.problems("", channel))


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The keys of `dataset.json`; a folder needs none of them."""

    name: str = field(default="", metadata=key(NAME, "What a metric is called after."))
    classes: tuple[str, ...] = field(default=(), metadata=key(Classes(), "Names of the classes, or their number."))
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
        if self.palette and len(self.palette) != len(self.classes):
            raise DataError(f"palette must have a colour for each of the {len(self.classes)} classes, or be left out")


def describe(root: Path) -> Mapping[str, Any]:
    """What the folder says about itself: `name`, `classes`, `ignore`, `groups`, `palette`, as far as it does.

    Raises:
        DataError: The description is there and cannot be read, or keys, types or values in it are wrong; the message
            lists all of them.
    """
    if (root / MANIFEST).exists():
        return read_manifest(root / MANIFEST)
    if (root / "dataset.json").exists():
        return _dataset_json(root / "dataset.json")
    if (root / "classes.txt").exists():
        return {"classes": names_listed(root / "classes.txt")}
    return {}


def _dataset_json(path: Path) -> Mapping[str, Any]:
    values = read_json(path, error=DataError)
    try:
        description = read(Description, values, whole="a data set", error=DataError)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return {name: getattr(description, name) for name in values}
