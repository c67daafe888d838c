"""A folder of images and labels with everything that readers of such folders disagree about."""

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

Array = np.ndarray

CLASSES = ("road", "sky", "tree", "car", "sign")
COUNT = 12
"""Pairs of each split."""
TURNED, AS_STORED, SQUARE, MIRRORED = "turned.jpg", "as-stored.jpg", "square.jpg", "mirrored.png"
"""Images with an orientation tag: the label fits the turned size, the stored size, both, and both."""


def smooth(height: int, width: int, seed: int) -> Array:
    """A picture that JPEG hardly changes: (height, width, 3) uint8."""
    small = np.random.default_rng(seed).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def blocks(height: int, width: int, seed: int) -> Array:
    """A label map: 0, which is ignored, five classes, and 255."""
    values = np.array([0, 1, 2, 3, 4, 5, 255], np.uint8)
    grid = values[np.random.default_rng(seed).integers(0, len(values), (height // 12 + 1, width // 12 + 1))]
    return np.kron(grid, np.ones((12, 12), np.uint8))[:height, :width]


def with_tag(picture: Image.Image, tag: int, path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    picture.save(path, format=kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


def jpeg(pixels: Array, path: Path) -> None:
    Image.fromarray(pixels).save(path, format="JPEG", quality=95)


def deep_grey(pixels: Array, path: Path) -> None:
    """16 bits of grey, the lower 8 of which are not the upper 8 once more."""
    grey = pixels[..., 0].astype(np.uint16) * 256 + 77
    Image.fromarray(grey).save(path, format="PNG")


def as_mode(mode: str, kind: str = "PNG") -> Callable[[Array, Path], None]:
    return lambda pixels, path: Image.fromarray(pixels).convert(mode).save(path, format=kind)


def with_alpha(pixels: Array, path: Path) -> None:
    alpha = np.full(pixels.shape[:2], 9, np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(path, format="PNG")


def palette_label(values: Array, path: Path) -> None:
    picture = Image.fromarray(values).convert("P")
    picture.putpalette([7, 7, 7] * 256)
    picture.putdata(values.ravel().tolist())
    picture.save(path, format="PNG")


def grey_label(values: Array, path: Path) -> None:
    Image.fromarray(values).save(path, format="PNG")


IMAGES: Mapping[str, tuple[Callable[[Array, Path], None], tuple[int, int]]] = {
    "UPPER.JPG": (jpeg, (60, 90)),
    "mixed.Jpeg": (jpeg, (120, 64)),
    "deep.png": (deep_grey, (75, 75)),
    "palette.PNG": (as_mode("P"), (50, 130)),
    "alpha.png": (with_alpha, (64, 64)),
    "grey-alpha.png": (as_mode("LA"), (97, 101)),
    "dot.png": (as_mode("RGB"), (1, 1)),
    "inks.jpeg": (as_mode("CMYK", "JPEG"), (64, 96)),
    TURNED: (lambda pixels, path: with_tag(Image.fromarray(pixels), 6, path, "JPEG"), (70, 110)),
    AS_STORED: (lambda pixels, path: with_tag(Image.fromarray(pixels), 8, path, "JPEG"), (66, 99)),
    SQUARE: (lambda pixels, path: with_tag(Image.fromarray(pixels), 6, path, "JPEG"), (80, 80)),
    MIRRORED: (lambda pixels, path: with_tag(Image.fromarray(pixels), 2, path, "PNG"), (64, 88)),
}
"""Name of each image, how it is written, and the height and width that it is stored with."""


def write(root: Path) -> Path:
    """Both splits, and everything around them that no reader should see."""
    for split, seed in (("training", 0), ("validation", 100)):
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        for number, (name, (store, size)) in enumerate(IMAGES.items()):
            store(smooth(*size, seed + number), root / "images" / split / name)
            height, width = size[::-1] if name == TURNED else size
            label = root / "annotations" / split / f"{Path(name).stem}{'.PNG' if number % 2 else '.png'}"
            (palette_label if number % 3 else grey_label)(blocks(height, width, seed + number), label)
        litter(root / "images" / split, "JPG")
        litter(root / "annotations" / split, "png")
    (root / "dataset.json").write_text(json.dumps({"name": "nasty", "classes": CLASSES, "ignore": 0}))
    (root / "images" / ".ipynb_checkpoints").mkdir()
    return root


def litter(folder: Path, ending: str) -> None:
    """What systems and people leave behind."""
    (folder / f"._UPPER.{ending}").write_bytes(b"\0\5\x16\7 AppleDouble")
    (folder / "Thumbs.db").write_bytes(b"thumbnails")
    (folder / "notes.txt").write_text("ask Ann about the tree")
    for inside in (".ipynb_checkpoints", "__MACOSX", "old"):
        (folder / inside).mkdir()
        buffer = BytesIO()
        Image.new("L", (8, 8)).save(buffer, format="PNG", pnginfo=PngInfo())
        (folder / inside / f"UPPER-checkpoint.{ending}").write_bytes(buffer.getvalue())
