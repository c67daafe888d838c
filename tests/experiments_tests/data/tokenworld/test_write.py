"""The embedded data set: what its pictures promise, and how it is written."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments.data.tokenworld.scene import DISC, GROUND, HUES, Disc
from experiments.data.tokenworld.write import SPLITS, TOKENWORLD, render, scene_of, write_tokenworld
from topformer.errors import DataError, StorageError

SMALL: dict[str, Any] = {"size": 64, "training": 5, "validation": 3}


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def gap(one: np.ndarray, other: np.ndarray) -> float:
    """Least distance between the pixels of two masks."""
    a, b = np.argwhere(one), np.argwhere(other)
    return float(np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2).min()))


@pytest.mark.parametrize("size", [64, 128, 224])
@pytest.mark.parametrize("index", range(6))
def test_every_pixel_of_a_disc_is_at_least_half_the_image_from_every_pixel_of_the_beacon(size: int, index: int) -> None:
    _, label = render(3, "training", index, size)
    discs = (label >= DISC) & (label < DISC + len(HUES))
    assert gap(label == 0, discs) >= size / 2


@settings(max_examples=50)
@given(index=st.integers(0, 10**6), seed=st.integers(0, 2**40))
def test_the_gap_of_a_scene_keeps_the_distance_too(index: int, seed: int) -> None:
    scene, _ = scene_of(seed, "validation", index, 128)
    assert all(scene.beacon.gap(disc) >= 64 for disc in scene.discs)


def test_the_gap_between_beacon_and_disc_by_hand() -> None:
    scene, _ = scene_of(0, "training", 0, 128)
    beacon = scene.beacon
    right = Disc(beacon.x + beacon.half + 30, beacon.y, 10)
    diagonal = Disc(beacon.x - beacon.half - 30, beacon.y - beacon.half - 40, 10)
    assert (beacon.gap(right), beacon.gap(diagonal)) == (20, 40)


@pytest.mark.parametrize("index", range(12))
def test_all_discs_of_an_image_have_the_class_of_its_beacon(index: int) -> None:
    scene, _ = scene_of(1, "validation", index, 128)
    _, label = render(1, "validation", index, 128)
    assert set(np.unique(label[(label >= DISC) & (label < DISC + len(HUES))])) <= {DISC + scene.beacon.hue}


def test_discs_of_the_validation_split_look_alike_under_every_hue() -> None:
    """Mean colour of the discs' centres, per hue: no local answer."""
    colours: dict[int, list[np.ndarray]] = {}
    for index in range(60):
        scene, _ = scene_of(0, "validation", index, 128)
        image, _ = render(0, "validation", index, 128)
        colours.setdefault(scene.beacon.hue, []).extend(image[disc.y, disc.x] for disc in scene.discs)
    means = [np.mean(found, axis=0) for found in colours.values()]
    assert len(means) == len(HUES)
    assert np.ptp(means, axis=0).max() < 4


def test_half_of_the_discs_are_lit_in_training_alone() -> None:
    lit = {split: [d.lit for i in range(200) for d in scene_of(0, split, i, 128)[0].discs] for split in SPLITS}
    assert not any(lit["validation"])
    assert 0.45 < np.mean(lit["training"]) < 0.55


def test_a_lit_disc_has_the_colour_of_the_beacon() -> None:
    found = 0
    for index in range(20):
        scene, _ = scene_of(0, "training", index, 128)
        image, _ = render(0, "training", index, 128)
        for disc in scene.discs:
            near = np.abs(image[disc.y, disc.x].astype(int) - scene.beacon.colour).max() <= 8
            assert near == disc.lit
            found += disc.lit
    assert found


def test_only_the_beacon_is_ignored_and_its_core_shows_the_hue() -> None:
    scene, _ = scene_of(0, "training", 3, 128)
    image, label = render(0, "training", 3, 128)
    beacon = scene.beacon
    rows, columns = np.nonzero(label == 0)
    assert (rows.min(), rows.max()) == (max(0, beacon.y - beacon.half), min(127, beacon.y + beacon.half))
    assert (columns.min(), columns.max()) == (max(0, beacon.x - beacon.half), min(127, beacon.x + beacon.half))
    core = image[beacon.y - 3 : beacon.y + 4, beacon.x - 3 : beacon.x + 4].mean(axis=(0, 1))
    others = [np.abs(core - HUES[hue]).sum() for hue in range(len(HUES))]
    assert int(np.argmin(others)) == beacon.hue


def test_the_shares_of_the_classes_are_as_documented() -> None:
    labels = np.stack([render(0, "training", index, 128)[1] for index in range(300)])
    share = dict(
        zip(("ignored", *TOKENWORLD.classes), np.bincount(labels.ravel(), minlength=12) / labels.size, strict=True)
    )
    assert 0.45 < share["ground"] < 0.65
    assert all(0.05 < share[name] < 0.13 for name in TOKENWORLD.groups["texture"])
    assert all(0.01 < share[name] < 0.03 for name in TOKENWORLD.groups["context"])
    assert all(0.02 < share[name] < 0.06 for name in TOKENWORLD.groups["fine"])
    assert 0.0005 < share["tile"] < 0.008
    assert labels.max() == len(TOKENWORLD.classes)


def test_textures_share_one_distribution_of_colours() -> None:
    """Mean colour over many images: within a few grey values of each other, where single patches differ by 100."""
    found: dict[int, list[np.ndarray]] = {}
    for index in range(250):
        image, label = render(2, "training", index, 128)
        for value in range(GROUND + 1, GROUND + 4):
            if (label == value).any():
                found.setdefault(value, []).append(image[label == value].mean(axis=0))
    means = np.array([np.mean(group, axis=0) for group in found.values()])
    assert np.ptp(means, axis=0).max() < 12
    assert min(np.std(group, axis=0).min() for group in found.values()) > 20


def test_wires_are_three_or_four_px_wide_at_any_image_size() -> None:
    for size in (64, 512):
        widths = {wire.width for index in range(20) for wire in scene_of(0, "training", index, size)[0].wires}
        assert widths == {3, 4}


def test_groups_and_palette_fit_the_classes() -> None:
    members = [name for group in TOKENWORLD.groups.values() for name in group]
    assert sorted([*members, "ground"]) == sorted(TOKENWORLD.classes)
    assert len(set(TOKENWORLD.palette)) == len(TOKENWORLD.classes) == 11


def test_an_image_does_not_depend_on_the_images_before_it() -> None:
    alone = render(5, "validation", 7, 128)
    for index in range(7):
        render(5, "validation", index, 128)
    again = render(5, "validation", 7, 128)
    assert all(np.array_equal(one, other) for one, other in zip(alone, again, strict=True))


@pytest.mark.parametrize("other", [(1, "training", 0), (0, "validation", 0), (0, "training", 1)])
def test_seed_split_and_number_each_change_the_image(other: tuple[int, str, int]) -> None:
    seed, split, index = other
    assert not np.array_equal(render(0, "training", 0, 64)[0], render(seed, split, index, 64)[0])


def test_the_folder_has_the_layout_of_ade20k(tmp_path: Path) -> None:
    root = write_tokenworld(tmp_path / "tw", **SMALL)
    for split, count in zip(SPLITS, (5, 3), strict=True):
        names = [f"{index:06d}" for index in range(count)]
        assert sorted(p.stem for p in (root / "images" / split).glob("*.jpg")) == names
        assert sorted(p.stem for p in (root / "annotations" / split).glob("*.png")) == names
    with Image.open(root / "annotations/training/000004.png") as stored:
        assert stored.mode == "L"
        assert np.array_equal(np.asarray(stored), render(0, "training", 4, 64)[1])
    with Image.open(root / "images/training/000004.jpg") as stored:
        loss = np.abs(np.asarray(stored, float) - render(0, "training", 4, 64)[0])
    assert loss.mean() < 6


def test_the_manifest_says_everything_that_decides_the_files(tmp_path: Path) -> None:
    manifest = json.loads((write_tokenworld(tmp_path / "tw", seed=9, **SMALL) / "tokenworld.json").read_text())
    stated = {key: manifest[key] for key in ("schema", "generator", "seed", "size", "training", "validation")}
    assert stated == {"schema": 1, "generator": 1, "seed": 9, **SMALL}
    assert manifest["name"] == "tokenworld-64"
    assert manifest["classes"] == list(TOKENWORLD.classes)


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from experiments.data.tokenworld.write import write_tokenworld;"
        "write_tokenworld(Path(sys.argv[1]), size=64, training=5, validation=3)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "other")], check=True)
    assert digests(write_tokenworld(tmp_path / "tw", **SMALL)) == digests(tmp_path / "other")


def test_a_second_call_makes_only_what_is_missing(tmp_path: Path) -> None:
    root = write_tokenworld(tmp_path / "tw", **SMALL)
    whole = digests(root)
    (root / "images/training/000002.jpg").unlink()
    (root / "annotations/validation/000001.png").write_bytes(b"")
    untouched = root / "images/training/000003.jpg"
    before = untouched.stat().st_mtime_ns
    seen: list[tuple[int, int]] = []
    write_tokenworld(root, progress=lambda done, total: seen.append((done, total)), **SMALL)
    assert digests(root) == whole
    assert untouched.stat().st_mtime_ns == before
    assert seen == [(6, 8), (7, 8), (8, 8)]


def test_an_interrupted_call_leaves_whole_files_and_can_be_repeated(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tokenworld(tmp_path / "tw", progress=interrupt, **SMALL)
    assert len(list((tmp_path / "tw/images/training").iterdir())) == 4
    write_tokenworld(tmp_path / "tw", **SMALL)
    assert digests(tmp_path / "tw") == digests(write_tokenworld(tmp_path / "fresh", **SMALL))


def test_old_temporary_files_are_removed_and_fresh_ones_of_other_processes_left(tmp_path: Path) -> None:
    root = write_tokenworld(tmp_path / "tw", **SMALL)
    old, fresh = (root / "images/training" / f".000001.jpg.{number}.tmp" for number in (1, 2))
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    write_tokenworld(root, **SMALL)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_folder_of_other_settings_is_refused_with_both_named(tmp_path: Path) -> None:
    write_tokenworld(tmp_path / "tw", **SMALL)
    with pytest.raises(DataError, match=r"seed 0, size 64, training 5, .*; asked for .*seed 4, size 64"):
        write_tokenworld(tmp_path / "tw", seed=4, **SMALL)


def test_a_folder_of_other_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"holds images or annotations without tokenworld\.json"):
        write_tokenworld(tmp_path, **SMALL)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tw").write_text("")
    with pytest.raises(DataError, match="is a file, not a folder"):
        write_tokenworld(tmp_path / "tw", **SMALL)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1, "seed": "x"}'])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenworld.json").write_text(text)
    with pytest.raises(DataError, match=r"tokenworld\.json"):
        write_tokenworld(tmp_path, **SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 100}, "size must be a multiple of 32, got 100"),
        ({"size": 32}, "size must be an integer of at least 64, got 32"),
        ({"training": 0}, "training must be an integer of at least 1, got 0"),
        ({"validation": 2.5}, "validation must be an integer of at least 1, got 2.5"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_tokenworld(tmp_path, **{**SMALL, **change})


def test_a_disk_that_takes_no_more_is_one_storage_error_and_leaves_no_half_file(tmp_path: Path) -> None:
    """The limit on the size of a file stands for a full disk: the write itself fails."""
    root = tmp_path / "tw"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, hard))
    try:
        with pytest.raises(StorageError, match="the same command continues"):
            write_tokenworld(root, **SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in (root / "images").rglob("*") if path.is_file()]
    write_tokenworld(root, **SMALL)
    assert digests(root) == digests(write_tokenworld(tmp_path / "fresh", **SMALL))
