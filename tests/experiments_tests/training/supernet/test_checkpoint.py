"""A checkpoint of a supernet's design is one like any other, and takes the place of no other file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.data.folders import open_folder
from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.supernet.checkpoint import check_place, write_checkpoint
from experiments.training.weights import trained_weights
from topformer.errors import InputError
from topformer.network import TopFormer
from topformer.presets import NANO


def test_it_is_read_as_every_checkpoint_with_the_classes_of_its_data(tmp_path: Path) -> None:
    folder = open_folder(write_tokenworld(tmp_path / "data", size=64, training=1, validation=1))
    network, path = TopFormer(NANO), tmp_path / "nano.pt"
    check_place(path)
    write_checkpoint(path, network, folder, digest="0123456789ab")
    state, about = trained_weights(path, NANO)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert about["classes"] == list(folder.classes)
    check_place(path)
    with pytest.raises(InputError, match="another design"):
        trained_weights(path, replace(NANO, width=64))


def test_another_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(TopFormer(NANO).state_dict(), path)
    with pytest.raises(InputError, match="is there already and no checkpoint of topformer supernet extract"):
        check_place(path)
