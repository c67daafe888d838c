"""A trained supernet: the designs that it gives, with BatchNorm recalibrated, and those that it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call

from experiments.data.folders import SegmentationFolder, open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.lean.decoded import Decoded
from experiments.training.supernet.draws import Draws
from experiments.training.supernet.train import RECIPE, train_supernet
from experiments.training.supernet.trained import Supernet, data_of
from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.design import Design
from topformer.errors import CheckpointError, StudyError
from topformer.presets import NANO, TINY
from topformer.weights.statistics import skeleton

SPACE = space(
    "paper",
    base=replace(NANO, width=64, blocks=NANO.blocks[:1]),
    height=64,
    width=64,
    only={
        "pooled": "all",
        "head": "sum",
        "width": ["64", "96", "128", "160", "192"],
        "depth": "1",
        "heads": ["2", "4"],
        "injected": ["8+16+32", "8+16", "8+32", "16+32", "8", "16", "32"],
    },
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SegmentationFolder:
    return open_folder(write_tokenworld(tmp_path_factory.mktemp("data") / "tiny", size=64, training=24, validation=12))


@pytest.fixture(scope="module")
def run(data: SegmentationFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_supernet(SPACE, replace(RECIPE, iterations=60, batch=4, learning_rate=1e-2), data, out)
    return out


def unsampled() -> Candidate:
    """A design of the space that no iteration has trained."""
    draws = Draws.of(SPACE)
    drawn = [draws.at(0, iteration) for iteration in range(60)]
    trained = {design for one in drawn for design in (one.largest, *one.others)}
    return next(candidate for candidate in SPACE if candidate.design not in trained)


def test_recalibration_raises_the_score_of_a_design_that_was_never_trained(run: Path, data: SegmentationFolder) -> None:
    supernet, decoded, wanted = Supernet.read(run), Decoded(data, stacked=True), unsampled()
    network = supernet.network(wanted, decoded, images=24, seed=0, device=CPU)
    recalibrated = supernet.score(network, decoded, CPU).miou
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    raw = supernet.score(network, decoded, CPU).miou
    assert recalibrated > raw + 0.5


def test_a_network_has_its_slices_of_the_store(run: Path, data: SegmentationFolder) -> None:
    supernet = Supernet.read(run)
    network = supernet.network(SPACE.base, Decoded(data, stacked=True), images=8, seed=0, device=CPU)
    parts = supernet.store.cut(network)
    assert all(torch.equal(parameter, parts[name]) for name, parameter in network.named_parameters())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    empty = skeleton(network.design).eval()
    for mine, theirs in zip(empty.modules(), network.modules(), strict=True):
        if isinstance(mine, nn.BatchNorm2d) and isinstance(theirs, nn.BatchNorm2d):
            mine.running_mean, mine.running_var = theirs.running_mean, theirs.running_var
    torch.testing.assert_close(functional_call(empty, parts, (images,)), network(images), atol=1e-6, rtol=1e-6)


def test_the_seed_draws_the_images_of_the_recalibration(run: Path, data: SegmentationFolder) -> None:
    supernet, decoded = Supernet.read(run), Decoded(data, stacked=True)
    state = torch.get_rng_state()
    name = "backbone.pyramid.stem.norm.running_mean"
    means = [
        supernet.network(SPACE.base, decoded, images=8, seed=seed, device=CPU).state_dict()[name] for seed in (0, 0, 1)
    ]
    assert torch.equal(means[0], means[1])
    assert not torch.equal(means[0], means[2])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("design", "side", "message"),
    [
        (NANO, 96, "was trained at 64x64 px, the design is wanted at 96x96"),
        (replace(SPACE.base.design, width=224), 64, "does not hold the design: axis 'width' has 64, 96, 128"),
        (replace(SPACE.base.design, injected=(4, 32)), 64, r"axis 'injected' has 8\+16\+32, 8\+16"),
        (TINY, 64, r"axis 'depth' has 1|no axis varies its .*rows and taps"),
    ],
)
def test_a_design_outside_is_refused_by_size_axis_or_field(run: Path, design: Design, side: int, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Supernet.read(run).own(Candidate(design=design, height=side, width=side))


def test_other_data_are_refused(run: Path, tmp_path: Path) -> None:
    other = open_folder(write_tokenworld(tmp_path / "other", size=64, training=24, validation=12, seed=1))
    with pytest.raises(StudyError, match=r"was trained on another data set than .*: files is .* there and .* here"):
        Supernet.read(run).check_data(other)


def test_what_is_no_supernet_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"holds no supernet \(supernet\.json is not there\); `topformer supernet"):
        Supernet.read(tmp_path)
    shutil.copy(run / "supernet.json", tmp_path)
    with pytest.raises(StudyError, match=r"has not ended; the same command goes on"):
        Supernet.read(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"data": str(tmp_path / "gone")}))
    torch.save({"values": {}}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="holds no store of a supernet"):
        Supernet.read(tmp_path)
    with pytest.raises(StudyError, match=r"lay in .*gone, where it is no longer; name --data"):
        data_of(tmp_path)


def test_where_the_data_lay_is_remembered(run: Path, data: SegmentationFolder) -> None:
    assert data_of(run) == data.root.resolve()


def test_a_supernet_whose_weights_were_shared_otherwise_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "old")
    about = json.loads((run / "supernet.json").read_text())
    (tmp_path / "old" / "supernet.json").write_text(json.dumps({**about, "version": "0"}))
    with pytest.raises(StudyError, match=r"version must be '1', got '0': .* train it again"):
        Supernet.read(tmp_path / "old")
