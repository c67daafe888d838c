"""The known data sets in miniature: converted, checked, opened, trained on and scored in their own layouts."""

import json
import re
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mmseg
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from experiments.cli import main, parser
from experiments.cli.choices import chosen
from experiments.data.conversion.convert import convert
from experiments.data.folders import check_folder, open_folder
from experiments.data.folders.known import KNOWN
from experiments.evaluators import evaluator
from experiments.training.mmseg.configuration import evaluation_pipeline, mmengine_configuration, training_pipeline
from experiments.training.mmseg.predict import evaluate
from experiments.training.recipes import RECIPES, recipe
from search_space.candidate import Candidate
from tests import ROOT
from tests.experiments_tests.data.miniature_sets import HEIGHT, MAKERS, TRAIN, VAL, WIDTH
from topformer.design_file import read_design
from topformer.errors import DataError, StudyError
from topformer.mmseg import classes_of
from topformer.presets import NANO

# The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

NAMES = sorted(KNOWN)
IN_MMSEG = [name for name in NAMES if KNOWN[name].reader]
NANO_64 = ("--design", "nano", "--size", "64")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every set as it is downloaded, with what the conversion makes of it in the same folder."""
    made = {}
    for name in NAMES:
        made[name] = tmp_path_factory.mktemp(name)
        MAKERS[name](made[name])
        known = KNOWN[name]
        if known.converted:
            assert main(["data", "convert", known.conversion, str(made[name]), "--out", str(made[name])]) == 0
    return made


@pytest.mark.parametrize("name", IN_MMSEG)
def test_what_is_said_of_a_set_is_what_mmsegmentation_says(name: str) -> None:
    classes, colours = classes_of(KNOWN[name].reader)
    assert len(classes) == len(colours) == KNOWN[name].num_classes


@pytest.mark.parametrize("name", NAMES)
def test_every_set_has_a_recipe(name: str) -> None:
    assert RECIPES[KNOWN[name].recipe].dataset == name


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_counts_and_ignores_as_its_data_set_does(name: str) -> None:
    found = RECIPES[name]
    known = KNOWN[found.dataset]
    assert (found.classes, found.reduce_zero_label) == (known.num_classes, known.reduce_zero_label)


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_recognised_and_its_pairs_are_found(name: str, sets: dict[str, Path]) -> None:
    folder = open_folder(sets[name], hint=name)
    assert (folder.name, folder.source) == (name, KNOWN[name])
    assert {split: len(pairs) for split, pairs in folder.splits.items()} == {"training": TRAIN, "validation": VAL}
    assert len(folder.classes) == len(folder.colours) == KNOWN[name].num_classes


@pytest.mark.parametrize("name", IN_MMSEG)
def test_the_files_and_labels_are_those_of_mmsegmentations_own_configuration(name: str, sets: dict[str, Path]) -> None:
    # At the top it would come before the quiet import and meet torch's deprecations.
    from mmengine.registry import DefaultScope
    from mmseg.registry import DATASETS

    folder = open_folder(sets[name], dataset=name)
    ours = mmengine_configuration(NANO, recipe(KNOWN[name].recipe), folder)
    theirs = own_configuration(name)
    for split in ("train", "val"):
        settings = theirs[f"{split}_dataloader"].dataset
        # Images need no augmentation here.
        plain = {"pipeline": ours["val_dataloader"]["dataset"]["pipeline"]}
        own = {"pipeline": [{"type": kind} for kind in ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs")]}
        with DefaultScope.overwrite_default_scope("mmseg"):
            built = DATASETS.build({**ours[f"{split}_dataloader"]["dataset"], **plain})
            expected = DATASETS.build({**settings.to_dict(), "data_root": str(sets[name]), **own})
        assert len(built) == len(expected) == (TRAIN if split == "train" else VAL)
        assert [place(built, i) for i in range(len(built))] == [place(expected, i) for i in range(len(built))]
        assert [c.strip() for c in expected.metainfo["classes"]] == built.metainfo["classes"]
        assert expected.metainfo["palette"] == built.metainfo["palette"]
        labels = [np.asarray(data[1]["data_samples"].gt_sem_seg.data[0]) for data in (built, expected)]
        assert np.array_equal(labels[0], labels[1])
        pairs = folder.pairs("training" if split == "train" else "validation")
        assert np.array_equal(labels[0], folder.read(pairs[1])[1])


def own_configuration(name: str) -> Config:
    file = {"pascal-context-59": "pascal_context_59", "pascal-context-60": "pascal_context"}.get(name, name)
    bases = Path(mmseg.__file__).parent / ".mim" / "configs" / "_base_" / "datasets"
    return Config.fromfile(bases / f"{file.replace('stuff-', 'stuff')}.py")


def place(data: Any, index: int) -> tuple[str, str]:
    about = data.get_data_info(index)
    return about["img_path"], about["seg_map_path"]


@pytest.fixture(scope="module")
def runs(sets: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of two iterations on a set."""

    @cache
    def trained(name: str) -> Path:
        out = tmp_path_factory.mktemp(f"run-{name}")
        data = ("--data", str(sets[name]), "--dataset", name)
        short = ("--iterations", "2", "--batch", "2", "--workers", "0")
        assert main(["train", *data, *NANO_64, *short, "--out", str(out)]) == 0
        return out

    return trained


@pytest.mark.parametrize("name", NAMES)
def test_two_updates_and_a_score_with_the_sets_classes(name: str, runs: Callable[[str], Path]) -> None:
    result = json.loads((runs(name) / "result.json").read_text())
    known = KNOWN[name]
    assert tuple(result["per_class"]) == (known.classes or classes_of(known.reader)[0])
    assert any(value is not None for value in result["per_class"].values())
    assert (result["recipe"]["name"], result["recipe"]["dataset"]) == (KNOWN[name].recipe, name)
    config = Config.fromfile(runs(name) / "config.py")
    assert config.model.decode_head.design.num_classes == KNOWN[name].num_classes


def test_evaluate_and_predict_take_a_known_set(
    sets: dict[str, Path], runs: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", str(sets["cityscapes"]))
    weights = str(runs("cityscapes") / "weights.pt")
    capsys.readouterr()
    assert main(["evaluate", weights, *data, *NANO_64, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["miou"] == json.loads((runs("cityscapes") / "result.json").read_text())["miou"]
    photo = str(next((sets["cityscapes"] / "leftImg8bit/val/munster").iterdir()))
    assert main(["predict", weights, photo, *data, *NANO_64, "--out", str(tmp_path)]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


@pytest.mark.parametrize(("model", "head"), [("tiny", "sum"), ("base", "sum")])
def test_the_release_narrows_its_networks_on_cityscapes(
    model: str, head: str, sets: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(sets["cityscapes"]), "--design", model, "--print-config"]) == 0
    values: dict[str, Any] = {}
    exec(capsys.readouterr().out, values)
    design = values["model"]["backbone"]["design"]
    assert (design["width"], design["head"], design["num_classes"]) == (128, head, 19)


# The check


@pytest.mark.parametrize("name", NAMES)
def test_the_check_decodes_counts_and_draws(
    name: str, sets: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", name, str(sets[name]), "--json", "--sheet", str(sheet)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == name
    assert found["splits"]["training"]["decoded"] == TRAIN
    assert found["splits"]["training"]["pairs_of_the_whole_set"] == KNOWN[name].splits["training"].count
    assert found["sizes"] == {f"{WIDTH}x{HEIGHT}": TRAIN + VAL}
    assert sum(found["splits"]["validation"]["class_pixels"].values()) > 0
    with Image.open(sheet) as drawn:
        assert drawn.width > drawn.height > 0


def test_the_check_says_how_much_of_the_whole_set_is_there(sets: dict[str, Path]) -> None:
    assert f"training has {TRAIN} images, the whole ade20k has 20,210" in check_folder(sets["ade20k"]).notes


def test_the_check_opens_only_as_many_as_asked(sets: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(sets["ade20k"]), "--decode", "1"]) == 0
    assert f"1 of the {TRAIN} pairs of training were decoded" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_is_answered_with_its_downloads(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", name, str(tmp_path / "nowhere")]) == 2
    shown = capsys.readouterr().err
    for download in KNOWN[name].downloads:
        assert download.file in shown
        assert download.size in shown
    assert KNOWN[name].folder in shown
    assert ("topformer data convert" in shown) == KNOWN[name].converted


def test_a_set_that_was_not_converted_is_answered_with_the_command(tmp_path: Path) -> None:
    MAKERS["cityscapes"](tmp_path)
    with pytest.raises(DataError, match=r"no label \*_gtFine_labelTrainIds.png; make them with: topformer data conv"):
        open_folder(tmp_path)
    with pytest.raises(DataError, match="does not hold coco-stuff-10k; COCO-Stuff 10k has 9,000 images for training"):
        open_folder(tmp_path, dataset="coco-stuff-10k")


def test_a_label_that_no_class_has_is_named(tmp_path: Path) -> None:
    MAKERS["ade20k"](tmp_path)
    path = tmp_path / "annotations/training/ADE_train_00000002.png"
    Image.fromarray(np.full((HEIGHT, WIDTH), 151, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"ADE_train_00000002.png has label\(s\) 151; accepted: 0 to 150"):
        check_folder(tmp_path)


def test_a_listed_image_that_is_missing_is_named(sets: dict[str, Path], tmp_path: Path) -> None:
    MAKERS["pascal-context-60"](tmp_path)
    assert main(["data", "convert", "pascal-context", str(tmp_path), "--out", str(tmp_path)]) == 0
    (tmp_path / "JPEGImages/2008_000002.jpg").unlink()
    with pytest.raises(DataError, match=r"JPEGImages/2008_000002.jpg does not exist"):
        open_folder(tmp_path, dataset="pascal-context-60")


def test_one_layout_for_two_sets_must_be_told_apart(sets: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="can be pascal-context-59 or pascal-context-60; say which by name"):
        open_folder(sets["pascal-context-59"])


def test_a_folder_can_say_which_of_two_sets_it_is(tmp_path: Path) -> None:
    MAKERS["pascal-context-59"](tmp_path)
    convert("pascal-context", tmp_path, tmp_path)
    (tmp_path / "dataset.json").write_text('{"dataset": "pascal-context-59"}')
    assert open_folder(tmp_path).name == "pascal-context-59"
    assert evaluator("mmseg", tmp_path).metric == "miou@pascal-context-59"


def test_the_recipe_evaluator_opens_the_set_of_its_recipe(sets: dict[str, Path]) -> None:
    made = evaluator("recipe", sets["pascal-context-59"], {"recipe": "pascal-context-59", "workers": 0})
    assert (made.metric, len(made.describe()["data"]["classes"])) == ("miou@pascal-context-59", 59)
    with pytest.raises(StudyError, match="recipe coco-stuff-10k is for coco-stuff-10k"):
        evaluator("recipe", sets["ade20k"], {"recipe": "coco-stuff-10k"})


def test_a_folder_that_describes_itself_is_taken_at_its_word(tmp_path: Path) -> None:
    MAKERS["ade20k"](tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(f"mine {k}" for k in range(150)))
    folder = open_folder(tmp_path)
    assert (folder.source, folder.classes[0]) == (None, "mine 0")


def test_a_known_set_takes_no_other_classes(sets: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="ade20k has classes of its own, got classes=3"):
        open_folder(sets["ade20k"], dataset="ade20k", classes=3)


def test_a_recipe_for_another_set_is_refused(sets: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(sets["ade20k"]), "--recipe", "coco-stuff-10k", "--print-config"]) == 2
    shown = capsys.readouterr().err
    assert "recipe coco-stuff-10k is for coco-stuff-10k (171 classes), " in shown
    assert "holds ade20k (150 classes); its recipe is ade20k-160k" in shown
    with pytest.raises(StudyError, match="is for coco-stuff-10k"):
        evaluate(NANO, {}, recipe("coco-stuff-10k"), open_folder(sets["ade20k"]))


def test_the_list_shows_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}: {KNOWN[name].num_classes} classes" in shown for name in NAMES)
    assert main(["data", "list", "--json"]) == 0
    assert {item["name"]: item["splits"]["training"]["count"] for item in json.loads(capsys.readouterr().out)} == {
        "ade20k": 20210,
        "pascal-context-59": 4998,
        "pascal-context-60": 4998,
        "coco-stuff-10k": 9000,
        "coco-stuff-164k": 118287,
        "cityscapes": 2975,
        "camvid": 367,
    }


def test_an_unknown_set_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown data set 'ade20'; did you mean 'ade20k'"):
        open_folder(tmp_path, dataset="ade20")


def test_a_folder_with_classes_of_its_own_is_not_taken_for_a_known_set(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    with pytest.raises(DataError, match="has 2 classes, ade20k has 150"):
        open_folder(tmp_path, dataset="ade20k")


@pytest.mark.parametrize("name", NAMES)
def test_the_pipelines_are_mmsegmentations_but_for_what_the_release_changes(name: str) -> None:
    found = recipe(KNOWN[name].recipe)
    assert [step["type"] for step in training_pipeline(found)] == [
        "ReadImage",
        "ReadLabel",
        "RandomResize",
        "RandomCrop",
        "RandomFlip",
        "PhotoMetricDistortion",
        "PackSegInputs",
    ]
    divided = name in ("ade20k", "camvid")
    assert ("ResizeToMultiple" in [step["type"] for step in evaluation_pipeline(found)]) == divided


@pytest.mark.parametrize("kind", ["lean", "mmseg"])
def test_a_search_takes_its_accuracy_from_a_known_set(kind: str, sets: dict[str, Path], tmp_path: Path) -> None:
    made = evaluator(kind, sets["coco-stuff-10k"], {"batch": 2})
    found = made.evaluate(Candidate(design=NANO, height=64, width=64), budget=2, seed=0, folder=tmp_path)
    assert (found.metric, found.budget) == ("miou@coco-stuff-10k", 2)
    assert 0 <= found.value <= 100


DOCS = ROOT / "docs" / "datasets.md"
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \| `(data/[^`]+)` \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("row", "arguments"), ROWS, ids=[row for row, _ in ROWS])
def test_the_commands_of_the_docs_train_the_papers_rows(row: str, arguments: str, sets: dict[str, Path]) -> None:
    args = parser().parse_args(["train", "--data", *shlex.split(arguments)])
    held = [item.name for item in KNOWN.values() if item.folder == str(args.data)]
    name = RECIPES[args.recipe].dataset if args.recipe else held[0]
    assert name in held
    design, found = chosen(args, open_folder(sets[name], dataset=name))
    model = re.search(r"topformer-([TSB])", str(args.checkpoint))
    assert model
    assert args.design[0].upper() == model[1]
    assert found.dataset == name
    table = {"Table 1": "ade20k", "Table 9": "pascal-context", "Table 10": "coco-stuff-10k"}
    assert name.startswith(next((of for number, of in table.items() if row.startswith(f"{number},")), ""))
    assert found.iterations == (160_000 if name == "ade20k" else 80_000)
    assert design.width == (128 if args.design == "tiny" or name == "cityscapes" else read_design(args.design).width)


def test_the_docs_have_every_row_of_topformer() -> None:
    assert len([row for row, _ in ROWS if row.startswith(("Table 1,", "Table 9,", "Table 10,"))]) == 4 + 2 + 3
