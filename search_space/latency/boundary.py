"""Where a timed graph ends, and the kernels between the logits and that end."""

from collections.abc import Sequence
from math import prod

from search_space.latency.kernels import BYTES, Kernel
from search_space.operations.operation import Operation, Shape
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError, unknown_name

RESIZE = "resize to the image"
"""Name of the kernel, and of the part of the network, that brings the logits to the size of the image."""

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


def boundary_text(steps: Sequence[Operation], end: Boundary) -> str:
    """The boundary in words."""
    if end is Boundary.ARGMAX:
        return "class of every pixel: logits resized to the image, and argmax"
    if end is Boundary.UPSAMPLE:
        return "logits resized to the image, no argmax"
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
    logits = _full_size(steps, end)
    numbers = prod(logits)
    if end is Boundary.UPSAMPLE:
        return [Kernel(RESIZE, RESIZE, 0, BYTES * (numbers + prod(steps[-1].output)), numbers)]
    return [Kernel(ARGMAX, ARGMAX, 0, BYTES * (2 * numbers + numbers // logits[1]), numbers)]


def _full_size(steps: Sequence[Operation], end: Boundary) -> Shape:
    """Shape of the logits at the size of the image."""
    image, output = _image(steps), steps[-1].output
    if len(image) != 4 or len(output) != 4:
        raise InputError(f"the boundary {end} needs an image and logits of 4 dimensions, got {image} and {output}")
    return (*output[:2], *image[2:])


def _image(steps: Sequence[Operation]) -> Shape:
    return next((step.inputs[step.reads.index(0)] for step in steps if 0 in step.reads), ())
