"""A training from its written configuration: run, resumed, scored and drawn, all on a miniature data set."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from experiments.cli import main
from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.mmseg.configuration import as_python, mmengine_configuration
from experiments.training.mmseg.runner import FileRunner
from experiments.training.overlay import overlay, shares
from experiments.training.recipes import recipe, with_size
from experiments.training.schedule import learning_rate_factor
from experiments.training.train import train
from topformer.errors import StudyError
from topformer.mmseg import segmentor
from topformer.network import TopFormer
from topformer.presets import NANO

# The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

RECIPE = replace(with_size(recipe("ade20k-160k"), 64, 64), iterations=10, batch=4)
NANO_64 = ("--design", "nano", "--size", "64")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train("mmseg", NANO, RECIPE, open_folder(data), out)
    return out


def build_model(settings: Any) -> Any:
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS

    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(settings)


def test_the_written_file_is_the_configuration(data: Path, tmp_path: Path) -> None:
    settings = mmengine_configuration(NANO, RECIPE, open_folder(data))
    (tmp_path / "config.py").write_text(as_python(settings))
    found = Config.fromfile(tmp_path / "config.py")
    assert {name: found[name] for name in settings} == settings
    assert found.to_dict()["model"] == settings["model"]


def test_its_model_is_the_segmentor(data: Path) -> None:
    built = build_model(Config(mmengine_configuration(NANO, RECIPE, open_folder(data))).model)
    ours = segmentor(NANO, height=64, width=64)
    assert {n: v.shape for n, v in built.state_dict().items()} == {n: v.shape for n, v in ours.state_dict().items()}


def test_the_head_learns_faster_and_normalisation_layers_do_not_decay(data: Path) -> None:
    # At the top it would come before the quiet import and meet torch's deprecations.
    from mmengine.optim import build_optim_wrapper

    settings = Config(mmengine_configuration(NANO, RECIPE, open_folder(data)))
    model = build_model(settings.model)
    groups = build_optim_wrapper(model, settings.optim_wrapper).param_groups
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        rate = 1.2e-3 if name.startswith("decode_head") else 1.2e-4
        assert found[id(parameter)] == pytest.approx((rate, 0.0 if ".norm." in name else 0.01)), name


def test_the_learning_rate_is_the_releases(data: Path, tmp_path: Path) -> None:
    twenty = replace(RECIPE, iterations=20, warmup=0.25)
    settings = mmengine_configuration(NANO, twenty, open_folder(data), workers=0)
    runner: Any = FileRunner.from_cfg(Config({**settings, "work_dir": str(tmp_path), "experiment_name": "rates"}))
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper = wrapper
    schedules = runner.build_param_scheduler(runner.param_schedulers)
    peaks = [group["lr"] / 1e-6 for group in wrapper.optimizer.param_groups]
    for iteration in range(20):
        factor = learning_rate_factor(iteration, iterations=20, warmup=5, power=1.0)
        rates = [group["lr"] for group in wrapper.optimizer.param_groups]
        assert rates == pytest.approx([peak * factor for peak in peaks])
        wrapper.step()
        for schedule in schedules:
            schedule.step()


def test_fewer_iterations_keep_the_share_of_the_warm_up() -> None:
    assert replace(recipe("ade20k-160k"), iterations=1600).warmup_iterations == 15


def test_a_training_leaves_its_weights_and_scores(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    present = [value for value in result["per_class"].values() if value is not None]
    assert result["miou"] == pytest.approx(np.mean(present))
    assert len(result["per_class"]) == 11
    TopFormer(NANO).load_state_dict(torch.load(run / "weights.pt", weights_only=True), strict=True)


def test_an_interrupted_training_goes_on(data: Path, tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("mmseg", NANO, RECIPE, open_folder(data), tmp_path, progress=stop)
    done: list[int] = []
    train("mmseg", NANO, RECIPE, open_folder(data), tmp_path, progress=lambda iteration, _: done.append(iteration))
    assert done[0] in (6, 7)
    assert done[-1] == 10


def test_another_training_in_the_same_folder_is_refused(data: Path, run: Path) -> None:
    with pytest.raises(StudyError, match="holds another training"):
        train("mmseg", NANO, replace(RECIPE, learning_rate=1.0), open_folder(data), run)


def test_evaluate_gives_the_score_of_the_training(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = json.loads((run / "result.json").read_text())
    for weights in (run / "weights.pt", run / "mmseg" / "iter_10.pth"):
        assert main(["evaluate", str(weights), "--data", str(data), *NANO_64, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["miou"], found["per_class"]) == (trained["miou"], trained["per_class"])
    assert main(["evaluate", str(weights), "--data", str(data), *NANO_64, "--flip", "--scales", "0.5,1"]) == 0
    assert "mIoU" in capsys.readouterr().out


def test_predict_draws_every_image_with_the_classes_of_the_checkpoint(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = data / "images" / "validation"
    assert main(["predict", str(run / "mmseg" / "iter_10.pth"), str(images), *NANO_64, "--out", str(tmp_path)]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.stem for path in printed] == [path.stem for path in sorted(images.iterdir())]
    with Image.open(printed[0]) as drawn:
        assert drawn.width == 128
        assert drawn.height > 64


def test_the_legend_names_only_what_is_there_and_the_colours_are_the_classes() -> None:
    predicted = np.zeros((40, 60), np.uint8)
    predicted[:10] = 2
    assert shares(predicted, ("a", "b", "c")) == [(0, "a", 0.75), (2, "c", 0.25)]
    drawn = np.asarray(
        overlay(np.zeros((40, 60, 3), np.uint8), predicted, "abc", [(0, 0, 0), (9, 9, 9), (200, 100, 0)])
    )
    assert drawn[5, 90].tolist() == [120, 60, 0]
    assert drawn[30, 90].tolist() == [0, 0, 0]


def test_a_training_starts_from_the_given_weights_sliced(data: Path, run: Path, tmp_path: Path) -> None:
    narrower = replace(NANO, width=64)
    train("mmseg", narrower, RECIPE, open_folder(data), tmp_path, checkpoint=run / "weights.pt", source=NANO)
    source = torch.load(run / "weights.pt", weights_only=True)["head.fuse.conv.weight"]
    start = torch.load(tmp_path / "initial.pth", weights_only=True)["state_dict"]["decode_head.body.fuse.conv.weight"]
    assert torch.equal(start, source[:64, :64])


def test_print_config_prints_what_would_run(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(data), *NANO_64, "--iterations", "40", "--print-config"]) == 0
    values: dict[str, Any] = {}
    exec(capsys.readouterr().out, values)
    assert values["train_cfg"] == {"type": "IterBasedTrainLoop", "max_iters": 40, "val_interval": 4}
    assert values["optim_wrapper"]["optimizer"]["lr"] == 3e-4
