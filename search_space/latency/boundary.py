"""Where a timed graph ends, and the kernels between the logits and that end."""

from collections.abc import Sequence
from math import ceil, prod

from search_space.candidate import Candidate
from search_space.latency.kernels import BYTES, Kernel
from search_space.operations.operation import Operation, Shape
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError, unknown_name

RESIZE = "resize to the image"
"""Name of the kernel, and of the part of the network, that brings the logits to the size of the image."""

COARSE = "argmax+nearest"
"""Name of the kernel, and of the part of the network, that takes the class of every logit's place and repeats it."""

ARGMAX = "resize+argmax"
"""Name of the kernel, and of the part of the network, that turns logits into the class of every pixel."""


def boundary_named(name: Boundary | str) -> Boundary:
    """The boundary of that name.

    Raises:
        InputError: There is none; the message offers the nearest name.
    """
    try:
        return Boundary(name)
    except ValueError:
        raise InputError(unknown_name("boundary", name, [member.value for member in Boundary])) from None


def latency_name(device: str, end: Boundary | str) -> str:
    """Name of a latency among metrics: `latency_ms@snapdragon-865`, and `latency_ms@snapdragon-865+argmax`.

    Latencies of different ends have different names, so that they are never compared.
    """
    name = f"latency_ms@{device}"
    return name if end == Boundary.LOGITS else f"{name}+{end}"


def boundary_text(steps: Sequence[Operation], end: Boundary) -> str:
    """The boundary in words."""
    if end is Boundary.ARGMAX:
        return "class of every pixel: logits resized to the image, and argmax"
    if end is Boundary.UPSAMPLE:
        return "logits resized to the image, no argmax"
    if end is Boundary.ARGMAX_NEAREST:
        return "class of every pixel: argmax of the logits as they are, repeated to the image"
    image, output = _image(steps), steps[-1].output
    if len(image) == len(output) == 4 and image[2] > output[2]:
        return f"logits at 1/{round(image[2] / output[2])}, no final resize or argmax"
    return f"output of shape {'x'.join(map(str, output))}, nothing after it"


def kernels_beyond_logits(steps: Sequence[Operation], end: Boundary) -> list[Kernel]:
    """The kernels after the logits.

    Resized logits are written once, and read once by the argmax, which keeps one number per pixel. The two are one
    kernel there, because that is how they were timed.

    Raises:
        InputError: The operations do not lead from an image to logits.
    """
    if end is Boundary.LOGITS:
        return []
    image, output = _image(steps), steps[-1].output
    if len(image) != 4 or len(output) != 4:
        raise InputError(f"the boundary {end} needs an image and logits of 4 dimensions, got {image} and {output}")
    return [ending(output, image[2:], end)]


def candidate_ending(candidate: Candidate, end: Boundary) -> Kernel:
    """The kernel after the logits of a candidate; the boundary is not that of the logits."""
    finest, image = min(candidate.design.injected), (candidate.height, candidate.width)
    return ending((1, candidate.design.num_classes, *(ceil(side / finest) for side in image)), image, end)


def ending(logits: Shape, image: Sequence[int], end: Boundary) -> Kernel:
    """The kernel between the logits (B, C, h, w) and a boundary behind them, for an image of (height, width)."""
    pixels = logits[0] * prod(image)
    numbers, coarse = pixels * logits[1], prod(logits)
    if end is Boundary.UPSAMPLE:
        return Kernel(RESIZE, RESIZE, 0, BYTES * (numbers + coarse), numbers)
    if end is Boundary.ARGMAX_NEAREST:
        # The classes of the places are written, read again, and repeated.
        return Kernel(COARSE, COARSE, 0, BYTES * (coarse + 2 * coarse // logits[1] + pixels), coarse)
    return Kernel(ARGMAX, ARGMAX, 0, BYTES * (2 * numbers + pixels), numbers)


def images(steps: Sequence[Operation]) -> int:
    """How many images one run takes."""
    image = _image(steps)
    return image[0] if image else 1


def _image(steps: Sequence[Operation]) -> Shape:
    return next((step.inputs[step.reads.index(0)] for step in steps if 0 in step.reads), ())
