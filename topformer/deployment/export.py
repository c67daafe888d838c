"""A design as a file that an inference engine runs, checked against torch."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topformer.bounds import BATCH, OPSETS
from topformer.deployment.boundary import CLASSES, LEAST_OF_DYNAMO, OPSET, SUFFIXES, Boundary, Format
from topformer.design import Design, Extractor
from topformer.errors import ExplorerError, InputError, StorageError
from topformer.schema import check

TOLERANCE = 1e-4
"""Largest difference from torch, as a share of the standard deviation of the output."""

EQUAL_PIXELS = 0.999
"""Least share of pixels with the class that torch gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written, and how far it is from torch.

    Attributes:
        files: What was written; the first is the one that was asked for.
        format: What the file is.
        boundary: Where the graph ends.
        height: Input height in pixels.
        width: Input width in pixels.
        weights: Where the weights come from.
        difference: Largest difference from torch on a random image as a share of the standard deviation of the
            output; for boundaries of classes the share of pixels of another class.
        sha256: Digest of the files, one after the other.
        step: Of what the sides of an image must be multiples; 0 where the file takes that one size.
        batch: Images in one input.
        about: What the file says of its input and output, see `topformer.deployment.about`.
        notes: Files beside it that say so, where its format cannot.
    """

    files: tuple[Path, ...]
    format: Format
    boundary: Boundary
    height: int
    width: int
    weights: str
    difference: float
    sha256: str
    step: int = 0
    batch: int = 1
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Path, ...] = ()

    @property
    def _input(self) -> str:
        if self.step:
            return f"{self.batch} x 3 x height x width, multiples of {self.step}"
        return f"{self.batch} x 3 x {self.height} x {self.width}"

    def _about(self) -> list[str]:
        """What the file says of its input, as lines."""
        if not self.about:
            return []
        mean, std = (", ".join(map(str, self.about[name])) for name in ("mean", "std"))
        place = f"in {self.notes[0]}" if self.notes else "in the file's metadata"
        return [
            f"pixels {self.about['channel_order']}, 0 to 255, minus {mean}, divided by {std}",
            f"classes {self.about['classes']}; all of this stands {place}",
        ]

    def render(self) -> str:
        """As text: what was written, from which weights, and how well it agrees with torch."""
        what = "of the pixels have another class" if self.boundary in CLASSES else "of the logits' deviation"
        return "\n".join(
            [
                *(f"{path}  {path.stat().st_size / 2**20:.1f} MiB" for path in self.files),
                f"input {self._input}, BatchNorm folded, graph ends at: {self.boundary}",
                *self._about(),
                f"weights: {self.weights}",
                f"checked against torch on a random image: {self.difference:.1e} {what}",
            ]
        )


def export(
    design: Design,
    path: Path,
    *,
    to: Format,
    height: int,
    width: int,
    boundary: Boundary = Boundary.LOGITS,
    checkpoint: Path | None = None,
    seed: int = 0,
    dynamic: bool = False,
    batch: int = 1,
    opset: int | None = None,
    inputs: Iterable[Path] = (),
) -> Exported:
    """Write the deployed network of a design, BatchNorm folded, for images (batch, 3, height, width) in fp32.

    The file is run on this machine by the engine of its format and compared with torch before it gets its name: a
    file that exists is right, and a failure leaves nothing behind.

    Args:
        design: The network.
        path: The file, with the ending in `SUFFIXES`.
        to: The format.
        height: Input height in pixels.
        width: Input width in pixels.
        boundary: Where the graph ends.
        checkpoint: Weights of this project or of the TopFormer release; without it they are random.
        seed: Of the random weights, and of the image that is compared.
        dynamic: Whether the file takes images of every size in multiples of the design's `pool_stride`, and not of
            that one alone; ONNX only. It is compared with torch at the next larger size too.
        batch: Images in one input; ncnn takes one.
        opset: Set of ONNX operations, for engines that know older ones only; ONNX only.
        inputs: Further files that must not be written over.

    Raises:
        InputError: Wrong ending of the name, a graph that the format cannot express, or a file that is in the way.
        CheckpointError: The checkpoint cannot be read or belongs to another design.
        ExplorerError: A package is missing, a conversion failed, or the file differs from torch.
        StorageError: The file cannot be written.
    """
    from topformer.deployment.about import check_export_place, describe
    from topformer.deployment.graph import deployed
    from topformer.deployment.runtimes import RUNNERS, WRITERS, evaluate

    _check_request(path, to, boundary)
    _check_input(to, batch, opset, dynamic=dynamic)
    check_export_place(path, to, [*inputs, *([checkpoint] if checkpoint else [])])
    step = _step(design, to, height, width) if dynamic else 0
    if opset is not None and opset < LEAST_OF_DYNAMO:
        _check_windows(design, height, width, f"opset {opset}")
    size = None if dynamic else (height, width)
    network = deployed(design, size=size, boundary=boundary, checkpoint=checkpoint, seed=seed)
    rng = np.random.default_rng(seed)
    image, *others = (_patches(rng, height + more, width + 2 * more, batch) for more in dict.fromkeys((0, step)))
    about, origin = _about(design, checkpoint, seed, boundary=boundary, batch=batch, size=(height, width), step=step)

    def compared(file: Path) -> float:
        return max(_checked(evaluate(network, one), RUNNERS[to](file, one), boundary, to) for one in (image, *others))

    def write(place: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        made = WRITERS[to](network, place, image, step, opset or OPSET)
        return made, describe(place, to, about)

    files, notes, difference = _placed(path, write, compared)
    return Exported(
        files=files,
        format=to,
        boundary=boundary,
        height=height,
        width=width,
        weights=origin,
        difference=difference,
        sha256=_files_sha256(files),
        step=step,
        batch=batch,
        about=about,
        notes=notes,
    )


def _about(design: Design, checkpoint: Path | None, seed: int, **form: Any) -> tuple[Mapping[str, Any], str]:
    """What the file says of its input and output, whose `form` is known; and where its weights come from."""
    from topformer.deployment.about import description
    from topformer.weights.state import data_set, read_content

    origin = str(checkpoint) if checkpoint else f"random, seed {seed}: times are right, classes are not"
    about = description(
        **form,
        classes=design.num_classes,
        class_names=data_set(read_content(checkpoint)).get("classes", ()) if checkpoint else (),
        weights=checkpoint.name if checkpoint else origin,
    )
    return about, origin


def _placed(
    path: Path, write: Callable[[Path], tuple[tuple[Path, ...], tuple[Path, ...]]], check: Callable[[Path], float]
) -> tuple[tuple[Path, ...], tuple[Path, ...], float]:
    """The files and notes that `write` makes, once `check` has accepted the first, and its answer."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            unplaced = write(Path(folder) / path.name)
            difference = check(unplaced[0][0])
            files, notes = (tuple(path.with_name(part.name) for part in parts) for parts in unplaced)
            for part, place in zip((*unplaced[0], *unplaced[1]), (*files, *notes), strict=True):
                part.replace(place)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    return files, notes, difference


def _files_sha256(files: tuple[Path, ...]) -> str:
    """SHA-256 of the content of the files, one after the other, in hexadecimal."""
    sha256 = hashlib.sha256()
    for path in files:
        sha256.update(path.read_bytes())
    return sha256.hexdigest()


def _step(design: Design, to: Format, height: int, width: int) -> int:
    """Of what the sides of the images must be multiples."""
    if to is not Format.ONNX:
        raise InputError(f"only onnx files take images of several sizes, got {to.value!r} with dynamic sizes")
    _check_windows(design, height, width, "dynamic sizes")
    return design.pool_stride


def _check_windows(design: Design, height: int, width: int, why: str) -> None:
    """The network pools by windows of one size."""
    if design.extractor is Extractor.PPM:
        raise InputError(
            f"a ppm extractor pools to grids of fixed sides, so its file takes images of one size only and an opset of "
            f"at least {LEAST_OF_DYNAMO}, got {why}"
        )
    for name, side in (("height", height), ("width", width)):
        if side % design.pool_stride:
            raise InputError(f"with {why} {name} must be a multiple of {design.pool_stride}, got {side}")


def _check_request(path: Path, to: Format, boundary: Boundary) -> None:
    if path.suffix != SUFFIXES[to]:
        raise InputError(f"a file for {to} must end in {SUFFIXES[to]}, got {path.name!r}")
    if to is Format.NCNN and boundary in CLASSES:
        raise InputError(
            "ncnn has no argmax over the channels of every pixel, so boundary must be logits or upsample for it, "
            f"got {boundary.value!r}"
        )


def _check_input(to: Format, batch: int, opset: int | None, *, dynamic: bool) -> None:
    check("batch", batch, BATCH, InputError)
    if to is not Format.ONNX and opset is not None:
        raise InputError(f"only onnx files have an opset, got {to.value!r} with opset {opset}")
    if opset is not None:
        check("opset", opset, OPSETS, InputError)
        if dynamic and opset < LEAST_OF_DYNAMO:
            raise InputError(f"with dynamic sizes opset must be at least {LEAST_OF_DYNAMO}, got {opset}")
    if to is Format.NCNN and batch > 1:
        raise InputError(f"ncnn takes one image at a time, so batch must be 1 for it, got {batch}")


def _patches(rng: np.random.Generator, height: int, width: int, batch: int) -> NDArray[np.float32]:
    """Random images of coarse patches and a little noise, normalised: (batch, 3, height, width).

    White noise would not do: its averages hardly vary, so that the pooled tokens would be rounding alone.
    """
    coarse = rng.standard_normal((batch, 3, 8, 8), dtype=np.float32)
    rows, columns = (np.arange(side) * 8 // side for side in (height, width))
    noise = rng.standard_normal((batch, 3, height, width), dtype=np.float32)
    image: NDArray[np.float32] = coarse[:, :, rows][:, :, :, columns] + np.float32(0.3) * noise
    return image


def _checked(expected: NDArray[Any], actual: NDArray[Any], boundary: Boundary, to: Format) -> float:
    """The difference, if it is small enough."""
    if actual.shape != expected.shape:
        raise ExplorerError(f"the exported {to} graph gives the shape {actual.shape}, torch gives {expected.shape}")
    if boundary in CLASSES:
        difference, largest = float(np.mean(actual != expected)), 1 - EQUAL_PIXELS
    else:
        difference, largest = float(np.abs(actual - expected).max() / expected.std()), TOLERANCE
    if not difference <= largest:  # also true for a difference that is not a number
        raise ExplorerError(f"the exported {to} graph differs from torch by {difference:.1e}, more than {largest:.0e}")
    return difference
