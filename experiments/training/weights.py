"""Weights of a network from any file that holds them: a training's checkpoint, a finished training's, the release's."""

import argparse
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.weights.inherit import inherit
from topformer.weights.released import holds_backbone_alone, load_released
from topformer.weights.segmentor import from_segmentor_state, load_plain

_OF_A_SEGMENTOR = "backbone.body."
_OF_A_NETWORK = "backbone.pyramid."
_OF_A_RELEASED_ONE = "backbone.tpm."
_OPTIONAL = ("backbone.injection.", "head.")
"""Parts that a pre-trained backbone does not have."""
START = "start.json"
"""Names of the tensors that were inherited, sliced, or are new, where a training starts from a checkpoint."""
PARTS = ("backbone.pyramid", "backbone.widen", "backbone.extractor", "backbone.injection", "head")
"""Modules by which a start is shown; the second is empty for most designs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where the tensors of a network that is to be trained come from, by name.

    Attributes:
        inherited: From the file, as they were.
        sliced: From the file, a part of a tensor.
        new: Initialised with the seed.
    """

    inherited: tuple[str, ...]
    sliced: tuple[str, ...]
    new: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """As plain JSON."""
        return {kind: list(names) for kind, names in asdict(self).items()}

    def lines(self) -> list[str]:
        """Numbers of weights and BN statistics by module, as a table."""
        kinds = {"inherited": self.inherited, "sliced": self.sliced, "new": self.new}
        head = f"{'tensors':<18}  {'  '.join(f'{kind:>9}' for kind in kinds)}"
        rows = {part: [_within(names, part) for names in kinds.values()] for part in PARTS}
        return [
            head,
            *(f"{part:<18}  {'  '.join(f'{n:>9}' for n in row)}" for part, row in rows.items() if sum(row)),
        ]


def _within(names: Iterable[str], part: str) -> int:
    return sum(name.startswith(f"{part}.") and not name.endswith("num_batches_tracked") for name in names)


def read_weights(path: Path, design: Design) -> tuple[dict[str, Tensor], tuple[str, ...], Mapping[str, Any]]:
    """The weights in a file, as the state dict of a `TopFormer` of the design.

    Known are mmengine's checkpoints of our segmentor, state dicts of a `TopFormer` or of a `TopFormerClassifier`, and
    the released checkpoints, ImageNet backbones among them.

    Args:
        path: The file; nothing in it is run.
        design: The network that it was trained with.

    Returns:
        The state dict; the names in it that the file did not give; and what the file says of its data set
        (`classes`, `palette`), if anything.

    Raises:
        CheckpointError: The file cannot be read or belongs to another design.
    """
    content = _content(path)
    # Averaged weights first, as for released checkpoints.
    held = content.get("state_dict_ema", content.get("state_dict", content))
    if any(name.startswith((_OF_A_SEGMENTOR, _OF_A_NETWORK)) for name in held):
        return *_own(path, held, design), _about(content)
    network = TopFormer(design)
    report = load_released(network, content)
    return network.state_dict(), report.kept, _about(content)


def peek_classes(path: Path) -> Mapping[str, Any]:
    """What the file says of its data set (`classes`, `palette`), if anything.

    Raises:
        CheckpointError: The file cannot be read.
    """
    return _about(_content(path))


def start_of_configuration(path: Path) -> dict[str, str]:
    """What a configuration says that mmengine alone is to start from: the argument of `mmengine_configuration`.

    A released ImageNet backbone is `pretrained`; a whole segmentor, ours or the release's, is `initial`.

    Raises:
        CheckpointError: The file cannot be read, or has names that mmengine does not find.
    """
    content = _content(path)
    if holds_backbone_alone(content):
        return {"pretrained": str(path)}
    held = content.get("state_dict", content)
    if not any(name.startswith((_OF_A_SEGMENTOR, _OF_A_RELEASED_ONE)) for name in held):
        raise CheckpointError(
            f"{path} is no checkpoint of a segmentor, so that a configuration cannot start from it; a training can, "
            "without --print-config"
        )
    return {"initial": str(path)}


def _content(path: Path) -> Mapping[str, Any]:
    # ImageNet checkpoints carry the arguments of their training script.
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = load_plain(path, map_location="cpu")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} must hold a mapping of names to tensors, got {type(content).__name__}")
    return content


def _own(path: Path, held: Mapping[str, Tensor], design: Design) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Weights under our names, and the names that the file lacks: all of a part, as in a pre-trained backbone."""
    state = {name: value for name, value in held.items() if not name.startswith(("data_preprocessor.", "classifier."))}
    if any(name.startswith(_OF_A_SEGMENTOR) for name in state):
        state = from_segmentor_state(state)
    network = TopFormer(design)
    absent = tuple(part for part in _OPTIONAL if not any(name.startswith(part) for name in state))
    kept = {name: value for name, value in network.state_dict().items() if absent and name.startswith(absent)}
    try:
        network.load_state_dict({**kept, **state}, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit the design; {' '.join(str(error).split())[:300]}") from None
    return {**kept, **state}, tuple(kept)


def _about(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What mmengine (1.x) or mmcv (0.x) wrote down about the data set."""
    meta = content.get("meta")
    if not isinstance(meta, Mapping):
        return {}
    found = meta.get("dataset_meta", {"classes": meta.get("CLASSES"), "palette": meta.get("PALETTE")})
    return {name: value for name, value in found.items() if name in ("classes", "palette") and value}


def trained_weights(path: Path, design: Design) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """As `read_weights`, for a network that is to predict: every tensor must be in the file.

    Raises:
        CheckpointError: As there, or the file holds a backbone alone.
    """
    state, kept, about = read_weights(path, design)
    lacking = [name for name in kept if not name.endswith("num_batches_tracked")]
    if lacking:
        raise CheckpointError(f"{path} holds no trained head; {len(lacking)} tensors are missing, first {lacking[0]}")
    return state, about


def digest(path: Path) -> str:
    """What tells a file of weights from another, wherever it lies."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def starting_weights(path: Path, source: Design, design: Design, *, seed: int) -> tuple[dict[str, Tensor], Start]:
    """Weights to start a training of `design` from: those of `source` in a file, sliced where the designs differ.

    What the file does not have is initialised with the seed.

    Returns:
        The state dict, and where each tensor comes from.

    Raises:
        CheckpointError: The file cannot be read or belongs to another design than `source`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state, kept, _ = read_weights(path, source)
        found, report = inherit(state, source, design)
    absent = tuple(part for part in _OPTIONAL if any(name.startswith(part) for name in kept))
    fresh = {name for name in found if absent and name.startswith(absent)} | set(report.new)
    return found, Start(
        inherited=tuple(name for name in report.inherited if name not in fresh),
        sliced=tuple(name for name in report.sliced if name not in fresh),
        new=tuple(name for name in found if name in fresh),
    )


def start_lines(path: Path, source: Design, design: Design) -> list[str]:
    """What `starting_weights` gives, as lines for the user.

    Raises:
        CheckpointError: As there.
    """
    start = starting_weights(path, source, design, seed=0)[1]
    return [f"from {path} (all names: start.json)", *start.lines(), ""]
