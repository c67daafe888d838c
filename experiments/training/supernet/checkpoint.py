"""A design of a supernet as a checkpoint of its own, which every command takes that takes one of a training."""

from collections.abc import Mapping
from pathlib import Path

from experiments.data.folders import SegmentationFolder
from experiments.training.tensors import write_tensors
from topformer import files
from topformer.codec import to_json
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.weights.plain import load_plain

_ORIGIN = "supernet"
"""Key of a checkpoint under which the digest of its supernet stands."""


def check_place(path: Path) -> None:
    """A checkpoint may be written here: there is nothing, or an earlier one of a supernet.

    Raises:
        InputError: Another file is there.
    """
    files.check_place(path, _made_before, (), made="checkpoint of topformer supernet extract")


def _made_before(path: Path) -> bool:
    try:
        content = load_plain(path, map_location="cpu")
    except CheckpointError:
        return False
    return isinstance(content, Mapping) and _ORIGIN in content


def write_checkpoint(path: Path, network: TopFormer, folder: SegmentationFolder, *, digest: str) -> None:
    """Write the weights of a network, with the classes of its data set, its design, and the digest of its supernet.

    Raises:
        StorageError: The disk does not take it.
    """
    meta = {
        "classes": list(folder.classes),
        **({"palette": [list(c) for c in folder.colours]} if folder.colours else {}),
    }
    write_tensors(
        path,
        {
            "state_dict": {name: value.cpu().contiguous() for name, value in network.state_dict().items()},
            "meta": {"dataset_meta": meta},
            "design": to_json(network.design),
            _ORIGIN: digest,
        },
    )
