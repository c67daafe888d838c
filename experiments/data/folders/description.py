"""What a folder says about itself: `tokenworld.json`, `dataset.json` or `classes.txt`."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.data.folders.labels import IGNORED, MOST_CLASSES, numbered
from experiments.data.listing import names_listed
from experiments.data.tokenworld.write import MANIFEST, read_manifest
from topformer.errors import DataError, unknown_name

DESCRIPTIONS = (MANIFEST, "dataset.json", "classes.txt")
"""Files that say themselves what a folder holds, the first one first."""

_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
"""A name stands in file names and in tables."""


def describe(root: Path) -> Mapping[str, Any]:
    """What the folder says about itself: `name`, `classes`, `ignore`, `groups`, `palette`, as far as it does.

    Raises:
        DataError: The description is there and cannot be read, or a value in it is not accepted.
    """
    if (root / MANIFEST).is_file():
        return read_manifest(root / MANIFEST)
    if (root / "dataset.json").is_file():
        return _dataset_json(root / "dataset.json")
    if (root / "classes.txt").is_file():
        return {"classes": names_listed(root / "classes.txt")}
    return {}


def _dataset_json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    if not isinstance(data, dict):
        raise DataError(f"{path} must hold an object, got {data!r}")
    for key, value in data.items():
        if key not in _KEYS:
            raise DataError(f"{path}: {unknown_name('key', key, _KEYS)}")
        accepted, fits = _KEYS[key]
        if not fits(value):
            raise DataError(f"{path}: {key} must be {accepted}, got {value!r}")
    if isinstance(data.get("classes"), int):
        data["classes"] = list(numbered(data["classes"]))
    _check_references(path, data)
    return data


def _check_references(path: Path, data: Mapping[str, Any]) -> None:
    """Groups name classes, and every class has a colour or none has."""
    classes = data.get("classes", [])
    for group, members in data.get("groups", {}).items():
        for name in members:
            if name not in classes:
                raise DataError(f"{path}: group {group}: {unknown_name('class', name, classes)}")
    if len(data.get("palette", classes)) not in (0, len(classes)):
        raise DataError(f"{path}: palette must have a colour for each of the {len(classes)} classes, or be left out")


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_classes(value: object) -> bool:
    return _is_names(value) or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_CLASSES)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_ignore(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in (0, IGNORED)


def _is_groups(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


def _is_palette(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_colour, value))


def _is_colour(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 255 for v in value)
    )


_KEYS: Mapping[str, tuple[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "name": ("a text without slashes and control characters that does not begin with a dot", _is_name),
        "classes": ("a list of names, or their number", _is_classes),
        "ignore": (f"0 or {IGNORED}", _is_ignore),
        "groups": ("an object of lists of classes", _is_groups),
        "palette": ("a list of [red, green, blue], each 0 to 255", _is_palette),
        "dataset": ("the name of a known data set", _is_name),
    }
)
"""The keys of `dataset.json`: what each accepts, in words and as a test."""
