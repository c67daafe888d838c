"""The embedded data set: drawn, not downloaded, with classes that need different parts of the network."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import PIL
from PIL import Image

from experiments.data.tokenworld.draw import Pixels, draw
from experiments.data.tokenworld.scene import CLASSES, HUES, LIT_SHARE, Colour, Scene, compose
from topformer.errors import DataError, StorageError
from topformer.files import read_object, replacing
from topformer.kinds import Integer, is_integer
from topformer.schema import check

MANIFEST = "tokenworld.json"
SCHEMA = 1
"""Version of the manifest's form."""
GENERATOR = 1
"""Version of the pictures: it changes whenever the same seed would give other pixels."""

SPLITS = ("training", "validation")
JPEG_QUALITY = 95

_LEAST_SIZE = 64
_STALE_SECONDS = 60
"""A temporary file older than this was left by a killed run: one image takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The classes of a data set.

    Attributes:
        classes: Names; class k is label k + 1, and label 0 is ignored.
        palette: A colour for each class.
        groups: Names of groups, each with the classes whose mean IoU is reported as one.
    """

    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    groups: Mapping[str, tuple[str, ...]]


# fmt: off
TOKENWORLD = Vocabulary(
    classes=CLASSES,
    palette=(
        (120, 120, 120),
        (230, 130, 50), (180, 90, 200), (110, 70, 40),
        *HUES,
        (60, 200, 210), (240, 130, 190),
        (250, 250, 250),
    ),
    groups=MappingProxyType({
        "texture": ("stripes", "grid", "grain"),
        "context": ("disc-red", "disc-green", "disc-blue", "disc-yellow"),
        "fine": ("wire", "ring"),
        "rare": ("tile",),
    }),
)
# fmt: on
"""Groups: texture is told apart by a few px around a pixel, context only by the other side of the image, fine by the
finest scales, rare by learning from few examples. The ground is in none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What decides every file of a folder; two folders of equal settings hold equal pictures."""

    schema: int = SCHEMA
    generator: int = GENERATOR
    seed: int
    size: int
    training: int
    validation: int

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("size", _LEAST_SIZE), ("training", 1), ("validation", 1)):
            check(name, getattr(self, name), Integer(least), DataError)
        if self.size % 32:
            raise DataError(f"size must be a multiple of 32, got {self.size!r}")

    def __str__(self) -> str:
        return ", ".join(f"{item.name} {getattr(self, item.name)}" for item in fields(self))


def scene_of(seed: int, split: str, index: int, size: int) -> tuple[Scene, np.random.Generator]:
    """The scene of one image, and the generator that draws its grain and noise.

    Nothing but the four arguments decides it: image 7 is the same whether or not images 0 to 6 were made.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index)))
    return compose(rng, size, LIT_SHARE if split == "training" else 0.0), rng


def render(seed: int, split: str, index: int, size: int) -> tuple[Pixels, Pixels]:
    """Image (size, size, 3) and label (size, size), both uint8, before compression."""
    return draw(*scene_of(seed, split, index, size))


def write_tokenworld(
    root: Path,
    *,
    size: int = 128,
    training: int = 2000,
    validation: int = 300,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the data set in ADE20K layout, or complete it where an earlier call was stopped.

    `ROOT/images/SPLIT/000000.jpg`, `ROOT/annotations/SPLIT/000000.png` (8 bit; 0 ignored, class k is k + 1) and
    `ROOT/tokenworld.json`. A file appears under its name only when it is whole, so the call may be killed at any
    time and repeated; several processes may write the same folder.

    Args:
        root: The folder; made if it is not there.
        size: Side of the images in px, a multiple of 32 and at least 64.
        training: Images of the split `training`.
        validation: Images of the split `validation`.
        seed: Same seed, same files, byte for byte with the same numpy, Pillow and libjpeg.
        progress: Called with the images that are there and the images in all.

    Returns:
        `root`.

    Raises:
        DataError: An argument is out of range, or `root` holds another data set.
        StorageError: The disk does not take the files, for instance because it is full.
    """
    settings = _Settings(seed=seed, size=size, training=training, validation=validation)
    root = Path(root)
    try:
        _claim(root, settings)
        _write_missing(root, settings, progress)
    except (OSError, StorageError) as error:
        raise StorageError(
            f"cannot write tokenworld to {root}: {error}; the same command continues from the files that are there"
        ) from error
    return root


def read_manifest(path: Path) -> Mapping[str, Any]:
    """The manifest of a folder made by `write_tokenworld`.

    Raises:
        DataError: It cannot be read or was written by another version.
    """
    data = read_object(path, error=DataError)
    if data.get("schema") != SCHEMA:
        raise DataError(f"{path}: schema must be {SCHEMA}, got {data.get('schema')!r}")
    for item in fields(_Settings):
        if not is_integer(data.get(item.name)):
            raise DataError(f"{path}: {item.name} must be an integer, got {data.get(item.name)!r}")
    return data


def _claim(root: Path, settings: _Settings) -> None:
    """The folder belongs to these settings from now on; other settings, or other files, are refused."""
    manifest = root / MANIFEST
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file, not a folder")
    if manifest.exists():
        found = _Settings(**{item.name: read_manifest(manifest)[item.name] for item in fields(_Settings)})
        if found != settings:
            raise DataError(f"{root} holds tokenworld with {found}; asked for {settings}; give another folder")
    elif (root / "images").exists() or (root / "annotations").exists():
        raise DataError(f"{root} holds images or annotations without {MANIFEST}; give another folder")
    for kind in ("images", "annotations"):
        for split in SPLITS:
            (root / kind / split).mkdir(parents=True, exist_ok=True)
    if not manifest.exists():
        _write_whole(manifest, json.dumps(_manifest(settings), indent=2).encode() + b"\n")


def _manifest(settings: _Settings) -> dict[str, Any]:
    return {
        "name": f"tokenworld-{settings.size}",
        **asdict(settings),
        "classes": list(TOKENWORLD.classes),
        "groups": {name: list(members) for name, members in TOKENWORLD.groups.items()},
        "palette": [list(colour) for colour in TOKENWORLD.palette],
        "written_with": {"numpy": np.__version__, "pillow": PIL.__version__},
    }


def _write_missing(root: Path, settings: _Settings, progress: Callable[[int, int], None] | None) -> None:
    total = settings.training + settings.validation
    missing = list(_missing(root, settings))
    for done, (split, index) in enumerate(missing, total - len(missing)):
        if progress:
            progress(done, total)
        pixels, label = render(settings.seed, split, index, settings.size)
        _write_whole(_image_path(root, split, index), _encode(pixels, format="JPEG", quality=JPEG_QUALITY))
        _write_whole(_label_path(root, split, index), _encode(label, format="PNG", compress_level=4))
    if progress:
        progress(total, total)


def _missing(root: Path, settings: _Settings) -> Iterator[tuple[str, int]]:
    """Split and number of every image that has no image file or no label file."""
    for split in SPLITS:
        images = _present(root / "images" / split)
        labels = _present(root / "annotations" / split)
        for index in range(getattr(settings, split)):
            if not (_image_path(root, split, index).name in images and _label_path(root, split, index).name in labels):
                yield split, index


def _present(folder: Path) -> set[str]:
    """Names of the files that are not empty, after removing what a killed run left behind.

    A machine that loses power can leave an empty file under a whole name.
    """
    names = set()
    for entry in os.scandir(folder):
        status = entry.stat()
        if entry.name.startswith(".") and time.time() - status.st_mtime > _STALE_SECONDS:
            Path(entry.path).unlink(missing_ok=True)
        elif status.st_size:
            names.add(entry.name)
    return names


def _image_path(root: Path, split: str, index: int) -> Path:
    return root / "images" / split / f"{index:06d}.jpg"


def _label_path(root: Path, split: str, index: int) -> Path:
    return root / "annotations" / split / f"{index:06d}.png"


def _encode(pixels: Pixels, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, **options)
    return buffer.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    """All of the content under the name, or nothing; a picture that a power cut takes is drawn again."""
    with replacing(path, durable=False) as fresh:
        fresh.write_bytes(content)
