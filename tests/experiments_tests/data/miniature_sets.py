"""Miniatures of the known data sets, with the folders, names and file formats of what is downloaded."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

HEIGHT, WIDTH = 64, 80
TRAIN, VAL = 3, 2
CITYSCAPES_IDS = (*range(34),)
CONTEXT_SOME = (0, 2, 9, 189, 458)
"""Background, aeroplane, bag, ground (the former numbers of PASCAL Context) and wood."""


def image(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def blocks(values: Sequence[int], index: int) -> np.ndarray:
    """A label map of 8 x 8 px blocks, whose values go through the list from another start for every index."""
    grid = np.arange(HEIGHT // 8 * (WIDTH // 8)).reshape(HEIGHT // 8, WIDTH // 8) + index
    return np.kron(np.asarray(values)[grid % len(values)], np.ones((8, 8), np.int64))


def store(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write(lines: Sequence[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def ade20k(root: Path) -> None:
    for split, count in (("training", TRAIN), ("validation", VAL)):
        for i in range(count):
            name = f"ADE_{'train' if split == 'training' else 'val'}_{i + 1:08d}"
            store(image(i), root / "images" / split / f"{name}.jpg")
            store(blocks(range(151), i), root / "annotations" / split / f"{name}.png")
    rows = [f"{k}\t0.01\t100\t10\t1\tclass {k}, other name" for k in range(1, 151)]
    write(["Idx\tRatio\tTrain\tVal\tStuff\tName", *rows], root / "objectInfo150.txt")
    write(["ADE_train_00000001 street"], root / "sceneCategories.txt")


def context_names() -> dict[str, list[str]]:
    return {
        "train": [f"2008_{i:06d}" for i in range(2, 2 + TRAIN)],
        "val": [f"2010_{i:06d}" for i in range(1, 1 + VAL)],
    }


def voc2010(root: Path) -> None:
    """Images and lists of VOC 2010; one image has no annotation in PASCAL Context, as there."""
    for phase, names in context_names().items():
        write(names, root / "ImageSets" / "Main" / f"{phase}.txt")
        for name in names:
            store(image(int(name[-6:])), root / "JPEGImages" / f"{name}.jpg")
    store(image(0), root / "JPEGImages" / "2007_000001.jpg")


def context_json(root: Path) -> None:
    voc2010(root)
    images, regions = [], []
    for phase, names in context_names().items():
        for name in names:
            number = int(name.replace("_", ""))
            about = {"image_id": number, "file_name": f"{name}.jpg", "phase": phase, "height": HEIGHT, "width": WIDTH}
            images.append(about)
            labels = blocks(CONTEXT_SOME, number)
            for category in CONTEXT_SOME[1:]:
                runs = {"size": [HEIGHT, WIDTH], "counts": encode_runs(labels == category)}
                regions.append({"image_id": number, "category_id": category, "segmentation": runs})
    content = {"images": images, "annos_segmentation": regions, "categories": [], "parts": [], "annos_occlusion": []}
    (root / "trainval_merged.json").write_text(json.dumps(content))


def encode_runs(mask: np.ndarray) -> str:
    """A mask as COCO compresses it: numbers of five bits a character, differences from the fourth number on."""
    flat = mask.ravel(order="F").astype(int).tolist()
    runs = [len(list(group)) for _, group in groupby(flat)]
    runs = [0, *runs] if flat[0] else runs
    text = ""
    for i, run in enumerate(runs):
        number, more = run - runs[i - 2] if i > 2 else run, True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr((bits | 32 if more else bits) + 48)
    return text


def context_mat(root: Path) -> None:
    """All 459 labels, here 3 too, which is none of the 59."""
    voc2010(root)
    (root / "trainval").mkdir()
    for name in (*context_names()["train"], *context_names()["val"]):
        labels = blocks((*CONTEXT_SOME, 3), int(name[-6:])).astype(np.uint16)
        savemat(root / "trainval" / f"{name}.mat", {"LabelMap": labels}, do_compression=True)


def coco_stuff_10k(root: Path) -> None:
    absent = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}
    labels = [label for label in range(183) if label not in absent]
    for split, count in (("train", TRAIN), ("test", VAL)):
        names = [f"COCO_train2014_{1000 * len(split) + i:012d}" for i in range(count)]
        write(names, root / "imageLists" / f"{split}.txt")
        for i, name in enumerate(names):
            store(image(i), root / "images" / f"{name}.jpg")
            content: Mapping[str, Any] = {
                "S": blocks(labels, 60 * i).astype(np.uint16),
                "names": np.array(["unlabeled", "person"], object).reshape(-1, 1),
                "captions": np.array(["A caption.", "Another one."], object).reshape(-1, 1),
                "regionMapStuff": blocks(range(1, 81), i).astype(np.uint16),
                "regionLabelsStuff": np.arange(92, 172, dtype=np.uint16).reshape(-1, 1),
            }
            (root / "annotations").mkdir(exist_ok=True)
            savemat(root / "annotations" / f"{name}.mat", dict(content), do_compression=True)


def coco_stuff_164k(root: Path) -> None:
    absent = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
    labels = [*(label for label in range(182) if label not in absent), 255]
    for split, count in (("train2017", TRAIN), ("val2017", VAL)):
        for i in range(count):
            store(image(i), root / "images" / split / f"{i + 9:012d}.jpg")
            store(blocks(labels, 60 * i), root / "annotations" / split / f"{i + 9:012d}.png")


def cityscapes(root: Path) -> None:
    for split, city, count in (("train", "aachen", 2), ("train", "ulm", TRAIN - 2), ("val", "munster", VAL)):
        for i in range(count):
            name = f"{city}_{i:06d}_000019"
            store(image(i), root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
            truth = root / "gtFine" / split / city
            store(blocks(CITYSCAPES_IDS, i), truth / f"{name}_gtFine_labelIds.png")
            store(image(i), truth / f"{name}_gtFine_color.png")
            write(["{}"], truth / f"{name}_gtFine_polygons.json")


def camvid(root: Path) -> None:
    """With the 11 classes and void, and a test split, which is not read."""
    for split, count in (("train", TRAIN), ("val", VAL), ("test", 1)):
        for i in range(count):
            store(image(i), root / split / f"0001TP_{i:06d}.png")
            store(blocks(range(12), i), root / f"{split}annot" / f"0001TP_{i:06d}.png")


MAKERS: Mapping[str, Callable[[Path], None]] = {
    "ade20k": ade20k,
    "pascal-context-59": context_json,
    "pascal-context-60": context_mat,
    "coco-stuff-10k": coco_stuff_10k,
    "coco-stuff-164k": coco_stuff_164k,
    "cityscapes": cityscapes,
    "camvid": camvid,
}
