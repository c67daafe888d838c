"""The lean loop on images that differ in size: decoded files, crops and scores, against mmsegmentation's."""

import fcntl
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import ks_2samp

from experiments.data.folders import Pair, SegmentationFolder, open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.evaluators.mmseg import MmsegEvaluator
from experiments.training.lean import data as lean_data
from experiments.training.lean.crops import TRIES, Crops, Windows
from experiments.training.lean.data import load_mixed, load_pixels
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import Training
from experiments.training.lean.pixels import Mixed
from experiments.training.lean.resize import into, resized_bytes
from experiments.training.mmseg.configuration import evaluation_pipeline
from experiments.training.mmseg.data import build_dataset
from experiments.training.outcome import WEIGHTS
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.scores import scores
from experiments.training.settings import Machine
from search_space.candidate import Candidate
from tests.experiments_tests.evaluators.conformance import timeless
from topformer.errors import DataError, StorageError
from topformer.mmseg import quiet
from topformer.presets import NANO

with quiet():
    from mmcv.transforms import RandomResize
    from mmengine.registry import DefaultScope
    from mmseg.datasets.transforms import RandomCrop

CPU = torch.device("cpu")
CLASSES = 5
SIZES = ((60, 90), (120, 64), (75, 75), (50, 130), (64, 64), (97, 101))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth images in PNG files, which every library decodes alike, with blocks of classes and some ignored pixels."""
    root = tmp_path_factory.mktemp("mixed")
    random = np.random.default_rng(0)
    for split in ("training", "validation"):
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        for number, (height, width) in enumerate(SIZES):
            small = random.integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
            image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
            image.save(root / "images" / split / f"{number}.png")
            blocks = random.integers(0, CLASSES + 1, (height // 25 + 1, width // 25 + 1), dtype=np.uint8)
            label = np.kron(blocks, np.ones((25, 25), np.uint8))[:height, :width]
            Image.fromarray(label).save(root / "annotations" / split / f"{number}.png")
    (root / "classes.txt").write_text("\n".join(f"class {k}" for k in range(CLASSES)))
    return root


@pytest.fixture(scope="module")
def folder(data: Path) -> SegmentationFolder:
    return open_folder(data)


@pytest.fixture(scope="module")
def split(folder: SegmentationFolder) -> Mixed:
    return load_mixed(folder, "training", CPU)


def crops(split: Mixed, **changes: Any) -> Crops:
    settings: dict[str, Any] = {
        "pixels": split,
        "batch": 6,
        "seed": 0,
        "height": 64,
        "width": 48,
        "scale": (256, 64),
        "factors": (0.5, 2.0),
        "share": 0.75,
        "flip": 0.5,
        "distort": False,
    }
    return Crops(**{**settings, **changes})


# The decoded split


def test_a_split_holds_every_image_and_its_classes(folder: SegmentationFolder, split: Mixed) -> None:
    assert list(zip(split.heights, split.widths, strict=True)) == list(SIZES)
    for number, pair in enumerate(folder.pairs("training")):
        image, labels = split.image(number)
        assert np.array_equal(image.numpy(), np.asarray(Image.open(pair.image)))
        stored = np.asarray(Image.open(pair.label))
        assert np.array_equal(labels.numpy(), np.where(stored == 0, 255, stored - 1))


def test_a_stopped_cache_goes_on_and_a_finished_one_is_not_decoded_again(
    folder: SegmentationFolder, split: Mixed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_data, "PART", 2)
    seen: list[str] = []
    whole = SegmentationFolder.read

    def stopping(folder: SegmentationFolder, pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if pair.image.stem == "3" and not seen.count("3"):
            seen.append("3")
            raise KeyboardInterrupt
        seen.append(pair.image.stem)
        return whole(folder, pair)

    monkeypatch.setattr(SegmentationFolder, "read", stopping)
    with pytest.raises(KeyboardInterrupt):
        load_mixed(folder, "training", CPU, tmp_path)
    assert json.loads(next(tmp_path.glob("*.json")).read_text()) == {"done": 2}
    seen[:] = ["3"]
    for _ in range(2):
        found = load_mixed(folder, "training", CPU, tmp_path)
        assert torch.equal(found.pixels, split.pixels)
    assert sorted(seen) == ["2", "3", "3", "4", "5"]


def test_two_trainings_do_not_write_one_cache_at_once(folder: SegmentationFolder, split: Mixed, tmp_path: Path) -> None:
    load_mixed(folder, "training", CPU, tmp_path)
    lock, data, note = (next(tmp_path.glob(f"*.{kind}")) for kind in ("lock", "bin", "json"))
    data.unlink()
    note.unlink()
    with ThreadPoolExecutor(1) as pool:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            other = pool.submit(load_mixed, folder, "training", CPU, tmp_path)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.5)
            assert not data.exists()
        assert torch.equal(other.result(timeout=60).pixels, split.pixels)


def test_stacked_pixels_of_a_cache_are_those_in_memory_and_are_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(write_tokenworld(tmp_path / "data", size=64, training=3, validation=2, seed=0))
    kept, mapped = (load_pixels(folder, "training", CPU, cache) for cache in (None, tmp_path / "cache"))
    monkeypatch.setattr(SegmentationFolder, "read", lambda *_: pytest.fail("decoded again"))
    for found in (mapped, load_pixels(folder, "training", CPU, tmp_path / "cache")):
        assert torch.equal(found.images, kept.images)
        assert torch.equal(found.labels, kept.labels)


def test_a_note_that_cannot_be_read_is_an_error_that_says_what_to_do(
    folder: SegmentationFolder, tmp_path: Path
) -> None:
    load_mixed(folder, "training", CPU, tmp_path)
    next(tmp_path.glob("*.json")).write_text("[")
    with pytest.raises(StorageError, match="remove it to start again"):
        load_mixed(folder, "training", CPU, tmp_path)


def test_a_label_of_another_size_or_class_is_an_error_with_its_file(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training/0\.png has label\(s\) [345, ]+; accepted: 0 to 2, and 255"):
        load_mixed(open_folder(data, classes=2), "training", CPU)
    for kind, size in (("images", (40, 50)), ("annotations", (40, 51))):
        (tmp_path / kind / "training").mkdir(parents=True)
        Image.new("RGB" if kind == "images" else "L", size).save(tmp_path / kind / "training" / "a.png")
    with pytest.raises(DataError, match=r"a\.png is 40 x 51 px, its image .*a\.png is 40 x 50"):
        load_mixed(open_folder(tmp_path, classes=2), "training", CPU)


# The geometry, given the draws


def test_a_crop_is_what_mmsegmentation_cuts_with_the_same_draws(split: Mixed, monkeypatch: pytest.MonkeyPatch) -> None:
    made = crops(split)
    for update in range(6):
        windows = made.windows(update, np.random.default_rng(update))
        taken = made.chosen(windows)
        images, labels, inside = made.cut(windows, taken)
        for i in range(6):
            image, label = by_mmsegmentation(made, windows, i, int(taken[i]), monkeypatch)
            height, width = label.shape
            assert np.array_equal(images[i, :height, :width].numpy(), image)
            assert np.array_equal(labels[i, :height, :width].numpy(), label)
            assert int(inside[i].sum()) == height * width


def by_mmsegmentation(
    made: Crops, windows: Windows, i: int, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The crop of its transforms, told where to cut; its own rule says which attempt it takes."""
    image, label = made.pixels.image(int(windows.numbers[i]))
    found: dict[str, Any] = {"img": image.numpy(), "gt_seg_map": label.numpy(), "seg_fields": ["gt_seg_map"]}
    found["img_shape"] = found["img"].shape[:2]
    size = (int(windows.widths[i]), int(windows.heights[i]))
    with DefaultScope.overwrite_default_scope("mmseg"):
        found = RandomResize(scale=size, ratio_range=(1.0, 1.0), keep_ratio=False).transform(found)
    used = []

    def random_int(low: int, high: int) -> int:
        used.append(high)
        position = windows.tops if len(used) % 2 else windows.lefts
        return int(position[i, (len(used) - 1) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(np.random, "randint", random_int)
        found = RandomCrop(crop_size=(made.height, made.width), cat_max_ratio=made.share).transform(found)
    assert len(used) // 2 - 1 == attempt
    if windows.flipped[i]:
        found["img"], found["gt_seg_map"] = found["img"][:, ::-1], found["gt_seg_map"][:, ::-1]
    return found["img"], found["gt_seg_map"]


def test_what_lies_outside_the_image_is_zero_and_ignored(split: Mixed) -> None:
    made = crops(split, factors=(0.5, 0.5), flip=1.0)
    images, labels = made[0]
    assert images.shape == (6, 3, 64, 48)
    outside = torch.ones(6, 64, 48, dtype=torch.bool)
    windows = made.windows(0, np.random.default_rng([2, 0, 0]))
    for i, (height, width) in enumerate(zip(windows.heights, windows.widths, strict=True)):
        outside[i, :height, :width] = False
    assert (images.permute(0, 2, 3, 1)[outside] == 0).all()
    assert (labels[outside] == 255).all()
    assert (labels[~outside] != 255).any()


def test_a_batch_is_a_function_of_seed_and_update(split: Mixed) -> None:
    made = crops(split, distort=True)
    for first, second in zip(made[3], crops(split, distort=True)[3], strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(made[3][0], made[4][0])
    assert not torch.equal(made[3][0], crops(split, distort=True, seed=1)[3][0])


# The distribution


def draws_of_mmsegmentation(split: Mixed, number: int, count: int) -> tuple[list[float], list[float], list[float]]:
    """Resized height, upper edge of the crop and share of the largest class, over many draws of its transforms."""
    image, label = split.image(number)
    heights, tops, shares = [], [], []
    with DefaultScope.overwrite_default_scope("mmseg"):
        resize = RandomResize(scale=(256, 64), ratio_range=(0.5, 2.0), keep_ratio=True)
    crop = RandomCrop(crop_size=(64, 48), cat_max_ratio=0.75)
    cut: Callable[..., Any] = crop.crop
    boxes: list[Any] = []

    def noting(array: Any, box: Any) -> Any:
        boxes.append(box)
        return cut(array, box)

    crop.crop = noting
    for _ in range(count):
        found = {"img": image.numpy(), "gt_seg_map": label.numpy(), "seg_fields": ["gt_seg_map"]}
        found = crop.transform(resize.transform({**found, "img_shape": image.shape[:2]}))
        heights.append(float(found["scale"][1]) if "scale" in found else float("nan"))
        tops.append(float(boxes[-1][0]))
        shares.append(largest_share(found["gt_seg_map"]))
    return heights, tops, shares


def largest_share(labels: NDArray[np.uint8]) -> float:
    counts = np.bincount(labels.ravel(), minlength=256)[:255]
    return float(counts.max() / max(counts.sum(), 1))


def test_scales_places_and_class_shares_are_distributed_as_mmsegmentations(split: Mixed) -> None:
    number, count = 0, 300
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    heights, tops, shares = draws_of_mmsegmentation(split, number, count)
    np.random.set_state(state)  # noqa: NPY002
    start, size = int(split.starts[number]), SIZES[number][0] * SIZES[number][1]
    alone = Mixed(
        pixels=split.pixels[start : start + size],
        heights=split.heights[number : number + 1],
        widths=split.widths[number : number + 1],
    )
    made = crops(alone, batch=count, share=0.75)
    windows = made.windows(0, np.random.default_rng(1))
    taken = made.chosen(windows)
    _, labels, inside = made.cut(windows, taken)
    ours = torch.where(inside, labels, 255).numpy()
    assert ks_2samp(windows.tops[np.arange(count), taken], tops).pvalue > 0.01
    assert ks_2samp([largest_share(item) for item in ours], shares).pvalue > 0.01
    # The scale's short side is cut to whole pixels before the ratio is kept.
    assert ks_2samp(windows.heights, [into(*SIZES[number], 4 * int(h), int(h))[0] for h in heights]).pvalue > 0.01
    assert 0 < (taken > 0).mean() < 1
    assert taken.max() < TRIES


# Training and scores


def test_validation_images_are_resized_as_mmsegmentation_resizes_them(folder: SegmentationFolder) -> None:
    theirs = build_dataset(folder, "validation", evaluation_pipeline(with_size(SCRATCH, 64, 64)))
    split = load_mixed(folder, "validation", CPU)
    for number in range(len(split)):
        image, labels = split.image(number)
        expected = theirs[number]["inputs"].flip(0).permute(1, 2, 0)
        size = into(labels.shape[0], labels.shape[1], 256, 64)
        found = resized_bytes(resized_bytes(image, *size), expected.shape[0], expected.shape[1])
        assert torch.equal(found, expected)


def test_the_same_weights_have_the_same_scores_as_with_mmsegmentation(data: Path, tmp_path: Path) -> None:
    candidate = Candidate(design=NANO, height=64, width=64)
    recipe = with_size(replace(SCRATCH, batch=2), 64, 64)
    made = MmsegEvaluator(data, recipe)
    found = made.evaluate(candidate, budget=3, seed=0, folder=tmp_path)
    decoded = Decoded(made.folder)
    training = Training(replace(NANO, num_classes=CLASSES), recipe, decoded.batches(recipe, 0, CPU), device=CPU)
    training.model.load_state_dict(torch.load(tmp_path / WEIGHTS, weights_only=True))
    ours = scores(training.validate(decoded.split("validation", recipe, CPU)))
    # Rounding may turn a pixel at a tie.
    assert ours.miou == pytest.approx(found.value, abs=0.05)
    named = dict(zip(made.folder.classes, ours.per_class, strict=True))
    assert {name: named[name] for name in found.per_class} == pytest.approx(found.per_class, abs=0.2)


def test_a_training_with_the_released_augmentation_that_is_resumed_gives_the_same_bits(
    data: Path, tmp_path: Path
) -> None:
    recipe = replace(SCRATCH, batch=4, smallest_scale=0.5, largest_scale=2.0, distort=True)
    lean = LeanEvaluator(data, recipe, Machine(device="cpu", checkpoint_every=2, cache=tmp_path / "cache"))
    candidate = Candidate(design=NANO, height=64, width=64)

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    whole = lean.evaluate(candidate, budget=4, seed=0, folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        lean.evaluate(candidate, budget=4, seed=0, folder=tmp_path / "parts", progress=stop)
    parts = lean.evaluate(candidate, budget=4, seed=0, folder=tmp_path / "parts")
    assert timeless(parts) == timeless(whole)
    assert len(list((tmp_path / "cache").glob("*.bin"))) == 2
