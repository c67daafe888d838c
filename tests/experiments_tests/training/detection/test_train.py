"""A RetinaNet around a design: its configuration, what is refused, and (with mmdetection) a training on a miniature."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.cli import main
from experiments.data.coco import CocoFolder, open_coco
from experiments.training.detection.recipes import DetectionRecipe, configuration
from search_space.cost.detection import retinanet_cost
from topformer.design import Design
from topformer.errors import DataError, DesignError, StudyError
from topformer.network import TopFormer
from topformer.optional_packages import missing
from topformer.presets import BASE, NANO, TINY

MISSING = missing("detection")
extra = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed; docs/detection.md says how to install them"
)
# mmengine and mmdetection warn of their own defaults, and of torch's deprecations.
quietly = pytest.mark.filterwarnings("ignore")

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}


def write_coco(root: Path, *, training: int = 6, validation: int = 2) -> Path:
    """Grey images of 96 x 64 px with two coloured boxes each."""
    (root / "annotations").mkdir(parents=True)
    categories = [{"id": 10 * i + 1, "name": name} for i, name in enumerate(COLOURS)]
    for split, count in (("train2017", training), ("val2017", validation)):
        random = np.random.default_rng(count)
        (root / split).mkdir()
        images: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        for number in range(count):
            pixels = random.integers(100, 130, (64, 96, 3)).astype(np.uint8)
            for category, colour in zip(categories, COLOURS.values(), strict=True):
                x, y = int(random.integers(0, 56)), int(random.integers(0, 24))
                w, h = int(random.integers(33, 40)), int(random.integers(33, 40))
                pixels[y : y + h, x : x + w] = colour
                box = {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0, "image_id": number}
                boxes.append({**box, "id": len(boxes) + 1, "category_id": category["id"]})
            Image.fromarray(pixels).save(root / split / f"{number:012d}.jpg")
            images.append({"id": number, "file_name": f"{number:012d}.jpg", "width": 96, "height": 64})
        content = {"images": images, "annotations": boxes, "categories": categories}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco") / "mini")


RECIPE = DetectionRecipe(epochs=2, batch=2, learning_rate=0.002, warmup_iterations=0, milestones=(1,), scale=(96, 64))


def test_the_recipe_is_mmdetections_default() -> None:
    recipe = DetectionRecipe()
    assert (recipe.epochs, recipe.batch, recipe.learning_rate) == (12, 16, 0.01)
    assert (recipe.momentum, recipe.weight_decay, recipe.scale) == (0.9, 1e-4, (1333, 800))
    assert (recipe.warmup_iterations, recipe.warmup_factor, recipe.milestones, recipe.decay) == (
        500,
        1e-3,
        (8, 11),
        0.1,
    )
    assert not recipe.synchronised


@extra
@quietly
def test_the_configuration_is_that_of_mmdetection_but_for_the_backbone() -> None:
    import mmdet
    from mmengine.config import Config

    base = Path(mmdet.__file__).parent / ".mim/configs/retinanet/retinanet_r50_fpn_1x_coco.py"
    theirs = Config.fromfile(base).to_dict()
    folder = CocoFolder(root=Path("data/coco"), classes=("a",) * 80, images={})
    ours = configuration(TINY, DetectionRecipe(), folder)
    for name in ("bbox_head", "train_cfg", "test_cfg", "data_preprocessor"):
        assert ours["model"][name] == theirs["model"][name], name
    assert ours["optim_wrapper"] == theirs["optim_wrapper"]
    assert ours["param_scheduler"] == theirs["param_scheduler"]
    assert ours["train_cfg"] == theirs["train_cfg"]

    def steps(settings: dict[str, Any], loader: str) -> list[dict[str, Any]]:
        pipeline = settings[loader]["dataset"]["pipeline"]
        return [{key: value for key, value in step.items() if key != "backend_args"} for step in pipeline]

    for loader in ("train_dataloader", "val_dataloader"):
        assert steps(ours, loader) == steps(theirs, loader)
        assert ours[loader]["batch_size"] == (16 if loader.startswith("train") else 1)


@extra
@quietly
@pytest.mark.parametrize("design", [TINY, replace(BASE, injected=(4, 8, 16, 32))], ids=["tiny", "base with 1/4"])
def test_the_built_detector_costs_what_the_closed_form_says(design: Design) -> None:
    from mmdet.registry import MODELS
    from mmengine.registry import DefaultScope
    from torch.utils.flop_counter import FlopCounterMode

    import topformer.mmdet  # noqa: F401
    from experiments.training.detection.recipes import model

    with DefaultScope.overwrite_default_scope("mmdet"):
        detector = MODELS.build(model(design, DetectionRecipe(), 80)).eval()
    wanted = retinanet_cost(design, 160, 224)
    parts = {"backbone": detector.backbone, "neck": detector.neck, "head": detector.bbox_head}
    assert {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()} == {
        name: wanted[name].parameters for name in parts
    }
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        detector(torch.zeros(1, 3, 160, 224), mode="tensor")
    assert counter.get_total_flops() == 2 * wanted["total"].macs


@extra
@quietly
def test_a_miniature_is_trained_scored_and_resumed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments.training.detection.train import train_detector

    folder = open_coco(data)
    losses: list[int] = []

    def stop(done: int, total: int) -> None:
        losses.append(done)
        if done == 4 and total == 6 and len(losses) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(NANO, RECIPE, folder, tmp_path, workers=0, progress=stop)
    result = train_detector(NANO, RECIPE, folder, tmp_path, workers=0, progress=stop)
    # Resumed behind the first epoch of three updates.
    assert losses == [1, 2, 3, 4, 4, 5, 6]
    assert 0 <= result["ap"] <= result["ap50"] <= 100
    assert json.loads((tmp_path / "result.json").read_text())["ap"] == result["ap"]
    assert "loading annotations" not in capsys.readouterr().out
    with pytest.raises(StudyError, match="holds another training"):
        train_detector(NANO, replace(RECIPE, flip=0.0), folder, tmp_path, workers=0)


@extra
@quietly
def test_the_command_starts_from_a_segmentation_network(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = TopFormer(NANO)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    given = ["detect", "train", "--data", str(data), "--design", "nano", "--checkpoint", str(tmp_path / "weights.pt")]
    sizes = ["--epochs", "1", "--batch", "2", "--short-side", "64", "--workers", "0", "--out", str(tmp_path / "run")]
    assert main([*given, *sizes]) == 0
    printed = capsys.readouterr().out
    assert "AP50" in printed
    assert "backbone.pyramid" in printed
    initial = torch.load(tmp_path / "run" / "initial.pth", weights_only=True)["state_dict"]
    stem = "pyramid.stem.conv.weight"
    assert torch.equal(initial[f"backbone.body.{stem}"], network.state_dict()[f"backbone.{stem}"])
    trained = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)
    assert initial.keys() == {name for name in trained if name.startswith("backbone.")}


@extra
@quietly
def test_a_perfect_detector_would_score_100(data: Path) -> None:
    """The metric, the categories' numbers and the box format agree with the files."""
    from mmdet.evaluation import CocoMetric

    truth = json.loads((data / "annotations" / "instances_val2017.json").read_text())
    metric = CocoMetric(ann_file=str(data / "annotations" / "instances_val2017.json"))
    metric.dataset_meta = {"classes": open_coco(data).classes}
    numbers = {item["id"]: i for i, item in enumerate(truth["categories"])}
    for image in truth["images"]:
        mine = [item for item in truth["annotations"] if item["image_id"] == image["id"]]
        boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in (item["bbox"] for item in mine)])
        found = {"bboxes": boxes, "scores": torch.ones(len(mine))}
        labels = torch.tensor([numbers[item["category_id"]] for item in mine])
        metric.process(
            {}, [{"pred_instances": {**found, "labels": labels}, "img_id": image["id"], "ori_shape": (64, 96)}]
        )
    assert metric.evaluate(2)["coco/bbox_mAP"] == 1.0


@extra
def test_a_design_without_a_scale_is_refused(data: Path, tmp_path: Path) -> None:
    from experiments.training.detection.train import train_detector

    with pytest.raises(DesignError, match=r"injected must hold \(8, 16, 32\) for detection, got \(16, 32\)"):
        train_detector(replace(NANO, injected=(16, 32)), RECIPE, open_coco(data), tmp_path)


@pytest.mark.skipif(not MISSING, reason="mmdetection is installed")
def test_without_mmdetection_the_command_says_what_installs_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", "train", "--data", str(data), "--design", "nano", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "detection needs mmdetection, which is not installed" in error
    assert "python -m pip install --no-deps onedl-mmdetection==" in error
    assert "mmcv._ext" not in sys.modules


def test_the_configuration_can_be_printed_without_mmdetection(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "train", "--data", str(data), "--design", "tiny", "--batch", "8", "--print-config"]) == 0
    values: dict[str, Any] = {}
    exec(capsys.readouterr().out, values)
    assert values["optim_wrapper"]["optimizer"]["lr"] == 0.005
    assert values["model"]["bbox_head"]["num_classes"] == 2
    assert values["train_dataloader"]["dataset"]["data_root"] == str(data)


def test_a_configuration_cannot_start_from_weights_of_a_backbone(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--design", "tiny", "--checkpoint", "tiny.pth", "--print-config"]
    assert main(["detect", "train", "--data", str(data), *given]) == 2
    assert "--print-config cannot start from tiny.pth" in capsys.readouterr().err


def test_costs_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "cost", "tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["parameters"] == 10_587_700
    assert main(["detect", "cost", "tiny"]) == 0
    assert "10,587,700   160.489" in capsys.readouterr().out


def test_a_data_set_is_listed(data: Path) -> None:
    folder = open_coco(data)
    assert folder.classes == ("red", "blue")
    assert folder.images == {"train2017": 6, "val2017": 2}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c["images"].append({"id": 9, "file_name": "none.jpg"}), "lacks 1 of the 3 images, first none.jpg"),
        (
            lambda c: c["annotations"][0].update(bbox=[1, 2, math.nan, 4]),
            "holds NaN, which is no JSON number",
        ),
        (lambda c: c["annotations"][0].update(category_id=7), "has a category_id that is not listed: 7"),
        (lambda c: c["annotations"][0].update(image_id=70), "has a image_id that is not listed: 70"),
        (lambda c: c["categories"].pop(), "must have the same categories"),
        (lambda c: c["annotations"].clear(), "has no annotations"),
        (lambda c: c.pop("images"), "it lacks images"),
    ],
)
def test_bad_annotations(tmp_path: Path, spoil: Any, message: str) -> None:
    root = write_coco(tmp_path / "bad", training=1, validation=2)
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        open_coco(root)


def test_missing_and_broken_annotations(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "bad", training=1, validation=1)
    path = root / "annotations" / "instances_train2017.json"
    path.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        open_coco(root)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        open_coco(root)
