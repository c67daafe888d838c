"""A detection data set in COCO's layout: `annotations/instances_SPLIT.json` and the images in `SPLIT/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from topformer.errors import DataError
from topformer.files import LARGEST_ANNOTATIONS, read_json

TRAIN, VAL = "train2017", "val2017"
_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFolder:
    """A data set on disk.

    Attributes:
        root: Its folder.
        classes: Names of the categories, by their numbers.
        images: Number of images of each split.
    """

    root: Path
    classes: tuple[str, ...]
    images: Mapping[str, int]


def annotations(split: str) -> str:
    """The file with a split's boxes, within the folder."""
    return f"annotations/instances_{split}.json"


def open_coco(root: Path) -> CocoFolder:
    """Read both annotation files, and look for every image.

    Raises:
        DataError: A file is missing or broken, a box is none, or the splits have other categories.
    """
    contents = {split: _read(root / annotations(split)) for split in (TRAIN, VAL)}
    names = {split: _categories(content) for split, content in contents.items()}
    if names[TRAIN] != names[VAL]:
        raise DataError(
            f"{TRAIN} and {VAL} of {root} must have the same categories, got {names[TRAIN]} and {names[VAL]}"
        )
    for split, content in contents.items():
        _check_images(root, split, content)
        _check_boxes(root / annotations(split), content, names[split])
    return CocoFolder(
        root=root,
        classes=tuple(names[TRAIN].values()),
        images={split: len(content["images"]) for split, content in contents.items()},
    )


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path, error=DataError, most=LARGEST_ANNOTATIONS)
    lacking = [key for key in _KEYS if not isinstance(content, dict) or not isinstance(content.get(key), list)]
    if lacking:
        raise DataError(f"{path} must hold lists {', '.join(_KEYS)}; it lacks {', '.join(lacking)}")
    empty = [key for key in _KEYS if not content[key]]
    if empty:
        raise DataError(f"{path} has no {empty[0]}")
    return dict(content)


def _categories(content: Mapping[str, Any]) -> dict[int, str]:
    return {item["id"]: item["name"] for item in sorted(content["categories"], key=lambda item: int(item["id"]))}


def _check_images(root: Path, split: str, content: Mapping[str, Any]) -> None:
    folder = root / split
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = [item["file_name"] for item in content["images"] if item["file_name"] not in present]
    if missing:
        raise DataError(f"{folder} lacks {len(missing)} of the {len(content['images'])} images, first {missing[0]}")


def _check_boxes(path: Path, content: Mapping[str, Any], names: Mapping[int, str]) -> None:
    images = {item["id"] for item in content["images"]}
    for item in content["annotations"]:
        box = item.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(isfinite(side) for side in box)):
            raise DataError(f"{path}: annotation {item.get('id')} must have a bbox of four numbers, got {box!r}")
        for key, known in (("category_id", names), ("image_id", images)):
            if item.get(key) not in known:
                raise DataError(
                    f"{path}: annotation {item.get('id')} has a {key} that is not listed: {item.get(key)!r}"
                )
