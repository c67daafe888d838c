"""One folder through every command that reads folders: the same pairs, the same pixels, the same score."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.cli import main
from experiments.data.folders import SegmentationFolder, check_folder, open_folder
from experiments.data.images import read_image
from experiments.evaluators import evaluator
from experiments.training.lean.data import load_mixed, load_pixels
from experiments.training.mmseg.configuration import training_pipeline
from experiments.training.mmseg.data import FolderDataset, build_dataset
from experiments.training.mmseg.predict import evaluate
from experiments.training.recipes import recipe, with_size
from search_space.candidate import Candidate
from tests.experiments_tests.data import nasty_folder
from tests.experiments_tests.data.nasty_folder import AS_STORED, CLASSES, COUNT, IMAGES, MIRRORED, SQUARE, TURNED
from topformer.errors import DataError, StudyError
from topformer.presets import NANO

pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

CPU = torch.device("cpu")
NANO_64 = ("--design", "nano", "--size", "64")
SHORT = ("--iterations", "4", "--batch", "4")
NAMES = sorted(Path(name).stem for name in IMAGES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nasty_folder.write(tmp_path_factory.mktemp("nasty") / "data")


@pytest.fixture(scope="module")
def folder(data: Path) -> SegmentationFolder:
    return open_folder(data)


def mmseg_dataset(folder: SegmentationFolder, split: str) -> FolderDataset:
    """The data set of a training through mmsegmentation, with its loading steps and without augmentation."""
    loading = training_pipeline(recipe("ade20k-160k"))[:2]
    return build_dataset(folder, split, [*loading, {"type": "PackSegInputs"}])


# Pairs


@pytest.mark.parametrize("split", ["training", "validation"])
def test_every_reader_has_the_same_pairs(folder: SegmentationFolder, split: str) -> None:
    pairs = [(str(pair.image), str(pair.label)) for pair in folder.pairs(split)]
    assert [Path(image).stem for image, _ in pairs] == [Path(label).stem for _, label in pairs] == NAMES
    theirs = mmseg_dataset(folder, split)
    infos = [theirs.get_data_info(number) for number in range(len(theirs))]
    assert [(info["img_path"], info["seg_map_path"]) for info in infos] == pairs
    assert len(load_mixed(folder, split, CPU)) == COUNT


def test_the_check_counts_them_and_names_what_it_cannot_know(data: Path) -> None:
    report = check_folder(data)
    assert report.decoded == {"training": COUNT, "validation": COUNT}
    assert sum(report.sizes.values()) == 2 * COUNT
    (note,) = (note for note in report.notes if "orientation tag" in note)
    assert note.startswith("4 image(s)")
    assert all((SQUARE in note, MIRRORED in note, TURNED not in note, AS_STORED not in note))
    assert [note for note in report.notes if "images/training/old is not looked into" in note]


# Pixels


def test_the_pixels_are_those_that_were_written(folder: SegmentationFolder) -> None:
    for seed, (name, (_, size)) in enumerate(IMAGES.items()):
        (pair,) = (pair for pair in folder.pairs("training") if pair.image.name == name)
        image, targets = folder.read(pair)
        drawn = nasty_folder.smooth(*size, seed)
        expected = {
            "deep.png": np.repeat(drawn[..., :1], 3, axis=2),
            "palette.PNG": np.asarray(Image.fromarray(drawn).convert("P").convert("RGB")),
            "grey-alpha.png": np.repeat(np.asarray(Image.fromarray(drawn).convert("L"))[..., None], 3, axis=2),
            TURNED: np.rot90(drawn, -1),
        }.get(name, drawn)
        # JPEG changes a little; nothing here is turned by accident and within that.
        assert image.shape == expected.shape
        lossy = name.lower().endswith(("jpg", "jpeg"))
        assert np.abs(image.astype(int) - expected).mean() < (4 if lossy else 1e-9), name
        height, width = targets.shape
        stored = nasty_folder.blocks(height, width, seed)
        assert np.array_equal(targets, np.where(np.isin(stored, (0, 255)), 255, stored - 1)), name


@pytest.mark.parametrize("split", ["training", "validation"])
def test_every_reader_has_the_same_pixels(folder: SegmentationFolder, split: str) -> None:
    mixed, theirs = load_mixed(folder, split, CPU), mmseg_dataset(folder, split)
    for number, pair in enumerate(folder.pairs(split)):
        image, targets = folder.read(pair)
        lean_image, lean_targets = mixed.image(number)
        sample = theirs[number]
        assert np.array_equal(lean_image.numpy(), image)
        assert np.array_equal(sample["inputs"].flip(0).permute(1, 2, 0).numpy(), image)
        assert np.array_equal(lean_targets.numpy(), targets)
        assert np.array_equal(sample["data_samples"].gt_sem_seg.data[0].numpy(), targets)


def test_images_without_a_label_are_shown_upright(data: Path) -> None:
    images = data / "images" / "training"
    for name, quarters in ((TURNED, -1), (AS_STORED, 1), (SQUARE, -1)):
        with Image.open(images / name) as stored:
            assert np.array_equal(read_image(images / name), np.rot90(np.asarray(stored), quarters))
    with Image.open(images / MIRRORED) as stored:
        assert np.array_equal(read_image(images / MIRRORED), np.asarray(stored)[:, ::-1])


# Scores


def scored(data: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", str(weights), "--data", str(data), *NANO_64, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("loop", [["mmseg", "--workers", "0"], ["lean", "--device", "cpu"]], ids=["mmseg", "lean"])
def test_a_training_by_either_loop_has_the_score_that_evaluate_gives(
    loop: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["train", "--data", str(data), *NANO_64, *SHORT, "--loop", *loop, "--out", str(out)]
    assert main(command) == 0
    trained = json.loads((out / "result.json").read_text())
    found = scored(data, out / "weights.pt", capsys)
    assert found["miou"] == pytest.approx(trained["miou"], abs=1e-9)
    assert found["per_class"] == pytest.approx(trained["per_class"], abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "settings"), [("mmseg", {"batch": 4}), ("lean", {"batch": 4, "device": "cpu"})], ids=["mmseg", "lean"]
)
def test_an_evaluation_by_either_loop_has_the_score_that_evaluate_gives(
    kind: str, settings: dict[str, Any], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = Candidate(design=NANO, height=64, width=64)
    value = evaluator(kind, data, settings).evaluate(candidate, budget=4, seed=0, folder=tmp_path).value
    assert scored(data, tmp_path / "weights.pt", capsys)["miou"] == pytest.approx(value, abs=1e-9)


PLAIN = """
import sys
from mmengine.config import Config
from mmengine.registry import init_default_scope

settings = Config.fromfile(sys.argv[1])
init_default_scope(settings.default_scope)
from mmengine.runner import Runner

for loader in (settings.train_dataloader, settings.val_dataloader):
    loader.num_workers, loader.persistent_workers = 0, False
    built = Runner.build_dataloader(loader, seed=0)
    print(len(built.dataset), sorted(next(iter(built))))
"""


def test_a_printed_configuration_works_without_this_commands_help(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["train", "--data", str(data), *NANO_64, *SHORT, "--print-config"]) == 0
    (tmp_path / "config.py").write_text(capsys.readouterr().out)
    command = [sys.executable, "-W", "ignore", "-c", PLAIN, str(tmp_path / "config.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [f"{COUNT} ['data_samples', 'inputs']"] * 2


@pytest.mark.parametrize("factors", [(), (float("nan"),), (float("inf"),), (0.0,), (-1.0,), (1.0, 1000.0)])
def test_impossible_scales_are_refused(factors: tuple[float, ...], folder: SegmentationFolder) -> None:
    fitting, small = replace(NANO, num_classes=len(CLASSES)), with_size(recipe("ade20k-160k"), 64, 64)
    with pytest.raises(StudyError, match=r"scales must be numbers from 0.0156 to 64, got "):
        evaluate(fitting, {}, small, folder, factors=factors)


@pytest.mark.parametrize(
    ("label", "said"), [((8, 9), "is 9 x 8 px, its image"), ((8, 8), r"has label\(s\) 9; accepted")]
)
def test_a_wrong_label_is_named_by_every_reader(label: tuple[int, int], said: str, tmp_path: Path) -> None:
    for kind, picture in (("images", Image.new("RGB", (8, 8))), ("annotations", Image.new("L", label[::-1], 9))):
        (tmp_path / kind / "training").mkdir(parents=True)
        picture.save(tmp_path / kind / "training" / "a.png")
    wrong = open_folder(tmp_path, classes=2)
    readers = (
        lambda: check_folder(tmp_path, classes=2),
        lambda: load_mixed(wrong, "training", CPU),
        lambda: load_pixels(wrong, "training", CPU),
        lambda: mmseg_dataset(wrong, "training")[0],
    )
    for reader in readers:
        with pytest.raises(DataError, match=rf"annotations/training/a.png {said}"):
            reader()


def test_predict_draws_every_image_that_the_others_see(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", str(data), *NANO_64, *SHORT, "--loop", "lean", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    capsys.readouterr()
    images, seen = data / "images" / "validation", tmp_path / "seen"
    weights = str(tmp_path / "run" / "weights.pt")
    assert main(["predict", weights, str(images), "--data", str(data), *NANO_64, "--out", str(seen)]) == 0
    assert sorted(Path(line).stem for line in capsys.readouterr().out.splitlines()) == NAMES
    for name in IMAGES:
        pixels = read_image(images / name)
        with Image.open(seen / f"{Path(name).stem}.png") as drawn:
            assert np.array_equal(np.asarray(drawn)[: pixels.shape[0], : pixels.shape[1]], pixels)


def test_the_pictures_show_every_class(data: Path) -> None:
    report = check_folder(data)
    assert all(all(counts) for counts in report.pixels.values())
    assert report.folder.classes == CLASSES
