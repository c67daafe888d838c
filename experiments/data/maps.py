"""Predicted classes as label files: PNG images of the numbers that the data set itself gives its classes."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from experiments.data.conversion.tables import CITYSCAPES
from experiments.data.folders import IGNORED, SegmentationFolder


def label_numbers(folder: SegmentationFolder | None, classes: int) -> npt.NDArray[np.uint16]:
    """The label of each class: that of the data set's own files; for Cityscapes the ids that its server takes.

    Args:
        folder: The data set; without one class k is label k.
        classes: How many there are.
    """
    if folder is not None and folder.source is not None and folder.source.name == "cityscapes":
        ids = {number: label for label, number in CITYSCAPES.items() if number != IGNORED}
        return np.array([ids[number] for number in range(classes)], np.uint16)
    first = folder.labelling.first if folder is not None else 0
    return np.arange(first, first + classes, dtype=np.uint16)


def class_map(predicted: npt.NDArray[np.integer], numbers: npt.NDArray[np.uint16]) -> Image.Image:
    """The label of every pixel as a picture of one channel, of 16 bits where 8 do not hold the labels.

    Args:
        predicted: Class of each pixel, (H, W).
        numbers: Label of each class.
    """
    labels = numbers[predicted]
    return Image.fromarray(labels if numbers.max() > np.iinfo(np.uint8).max else labels.astype(np.uint8))
