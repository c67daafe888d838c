"""What a data set must have before a network is trained or scored on it; every command that does so asks here."""

from collections.abc import Sequence

from experiments.data.folders.folder import ONE_CLASS, SegmentationFolder
from experiments.data.folders.known import TRAINING, VALIDATION
from experiments.data.folders.labels import IGNORED
from experiments.data.images import read_label
from topformer.errors import DataError


def check_ready(folder: SegmentationFolder, splits: Sequence[str] = (TRAINING, VALIDATION)) -> None:
    """The splits have pairs and a labelled pixel each, and there are classes to tell apart.

    Labels are read up to the first one with a labelled pixel, which is nearly always the first.

    Raises:
        DataError: They do not.
    """
    if folder.num_classes < 2:
        raise DataError(f"{folder.root} must have at least 2 classes, got {folder.num_classes}; {ONE_CLASS}")
    for split in splits:
        if not folder.pairs(split):
            raise DataError(f"split {split} of {folder.root} is empty")
        _check_labelled(folder, split)


def _check_labelled(folder: SegmentationFolder, split: str) -> None:
    for pair in folder.pairs(split):
        if (folder.labelling.targets(read_label(pair.label), pair.label) != IGNORED).any():
            return
    ignored = "labels 0 and 255 are" if folder.reduce_zero_label else "label 255 is"
    raise DataError(
        f"split {split} of {folder.root} has no labelled pixel: {ignored} ignored, and nothing else occurs; "
        "topformer data check says what the labels hold"
    )
