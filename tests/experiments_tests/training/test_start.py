"""What a short training starts from: a part of a supernet, or slices of another design's weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.data.folders import SegmentationFolder, open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.evaluators.lean import LeanEvaluator
from experiments.training.job import TrainingJob
from experiments.training.recipes import SCRATCH, with_size
from experiments.training.start import origin
from experiments.training.supernet.train import RECIPE, train_supernet
from experiments.training.supernet.trained import Supernet
from experiments.training.tensors import write_tensors
from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.design_file import write_design
from topformer.errors import DesignError, StudyError
from topformer.network import TopFormer
from topformer.presets import BASE, NANO
from topformer.weights.statistics import skeleton

SPACE = space(
    "paper",
    base="nano",
    height=64,
    width=64,
    only={"pooled": "all", "head": "sum", "width": ["64", "128"], "depth": ["1", "2"], "heads": "4"},
)
SMALLER = replace(NANO, width=64, blocks=NANO.blocks[:1])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SegmentationFolder:
    return open_folder(write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=16, validation=4))


@pytest.fixture(scope="module")
def supernet(data: SegmentationFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("supernet")
    train_supernet(SPACE, replace(RECIPE, iterations=2, batch=4), data, out)
    return out


def job(data: SegmentationFolder) -> TrainingJob:
    return TrainingJob(design=SMALLER, recipe=with_size(SCRATCH, 64, 64), folder=data)


def test_a_training_starts_from_its_part_of_a_supernet(
    supernet: Path, data: SegmentationFolder, tmp_path: Path
) -> None:
    found = origin(str(supernet), None, data)
    state = found.job(job(data)).starting_weights(tmp_path)
    assert state is not None
    expected = Supernet.read(supernet).store.cut(skeleton(SMALLER))
    assert all(torch.equal(state[name], part) for name, part in expected.items())
    TopFormer(SMALLER).load_state_dict(state, strict=True)
    assert found.describe() == {"supernet": Supernet.read(supernet).digest}


def test_a_training_starts_from_slices_of_a_checkpoint(data: SegmentationFolder, tmp_path: Path) -> None:
    network = TopFormer(NANO)
    write_tensors(tmp_path / "nano.pt", network.state_dict())
    found = origin(str(tmp_path / "nano.pt"), "nano", data)
    state = found.job(job(data)).starting_weights(tmp_path)
    assert state is not None
    name = "head.classifier.weight"
    assert torch.equal(state[name], network.state_dict()[name][:, :64])
    assert set(found.describe()) == {"checkpoint", "design"}


def test_the_classifier_of_other_classes_starts_anew(data: SegmentationFolder, tmp_path: Path) -> None:
    network = TopFormer(replace(NANO, num_classes=5))
    write_tensors(tmp_path / "five.pt", network.state_dict())
    write_design(tmp_path / "five.json", network.design)
    found = origin(str(tmp_path / "five.pt"), str(tmp_path / "five.json"), data).job(job(data))
    state = found.starting_weights(tmp_path)
    assert state is not None
    assert state["head.classifier.weight"].shape == (11, 64, 1, 1)
    name = "backbone.pyramid.stem.conv.weight"
    assert torch.equal(state[name], network.state_dict()[name])


def test_the_lean_evaluator_starts_there_and_says_so(supernet: Path, data: SegmentationFolder, tmp_path: Path) -> None:
    values = {"batch": 4, "learning_rate": 1e-9}
    made = LeanEvaluator.read(data, {**values, "start": str(supernet)})
    described = made.describe()
    assert described["start"] == {"supernet": Supernet.read(supernet).digest}
    plain = LeanEvaluator.read(data, values)
    assert {name: value for name, value in described.items() if name != "start"} == plain.describe()
    made.evaluate(Candidate(design=SMALLER, height=64, width=64), budget=1, seed=0, folder=tmp_path)
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    name = "backbone.extractor.blocks.0.ffn.expand.conv.weight"
    # One step at a rate of next to nothing.
    torch.testing.assert_close(weights[name], Supernet.read(supernet).store.cut(skeleton(SMALLER))[name])
    outside = Candidate(design=replace(SMALLER, width=96), height=64, width=64)
    with pytest.raises(StudyError, match="axis 'width' has 64, 128"):
        made.evaluate(outside, budget=1, seed=0, folder=tmp_path / "outside")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": "nowhere"}, "start must be the folder of a supernet or a file of weights, got nowhere"),
        ({"start": ""}, "start must be a non-empty string"),
        ({"start_design": "nano"}, "start_design says what start holds, got 'nano' without a start"),
        ({"start": "{file}"}, "start_design is missing: the design that the weights in .* belong to"),
        ({"start": "{folder}", "start_design": "nano"}, "but start .* is a folder"),
        ({"start": "{folder}"}, "holds no supernet"),
        ({"starts": "x"}, "unknown evaluator setting 'starts'; did you mean 'start'"),
    ],
)
def test_what_cannot_be_started_from_is_refused(
    values: dict[str, str], message: str, data: SegmentationFolder, tmp_path: Path
) -> None:
    write_tensors(tmp_path / "base.pt", TopFormer(BASE).state_dict())
    places = {"file": tmp_path / "base.pt", "folder": tmp_path}
    given = {name: value.format(**places) for name, value in values.items()}
    with pytest.raises(StudyError, match=message):
        LeanEvaluator.read(data, given)


def test_a_design_that_does_not_exist_is_refused(data: SegmentationFolder, tmp_path: Path) -> None:
    write_tensors(tmp_path / "base.pt", {})
    with pytest.raises(DesignError, match="unknown preset 'bse'"):
        origin(str(tmp_path / "base.pt"), "bse", data)
