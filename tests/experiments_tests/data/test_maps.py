"""Class maps hold the labels of the data set itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.data.folders.folder import known_folder
from experiments.data.folders.known import KNOWN
from experiments.data.maps import class_map, label_numbers


@pytest.mark.parametrize(
    ("name", "first", "last"),
    # Label ids of road and bicycle in labels.py of github.com/mcordts/cityscapesScripts; ADE20K's 0 is no class.
    [("cityscapes", 7, 33), ("ade20k", 1, 150), ("pascal-context-60", 0, 59)],
)
def test_labels_are_those_of_the_data_set(name: str, first: int, last: int) -> None:
    known = KNOWN[name]
    numbers = label_numbers(known_folder(Path("data"), known), known.num_classes)
    assert (numbers[0], numbers[-1], len(numbers)) == (first, last, known.num_classes)


@pytest.mark.parametrize("classes", [3, 300])
def test_a_map_has_the_label_of_every_pixel(classes: int, tmp_path: Path) -> None:
    predicted = np.array([[0, 1, 2], [classes - 1, 0, 0]])
    class_map(predicted, label_numbers(None, classes)).save(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as found:
        assert np.array_equal(np.asarray(found), predicted)
