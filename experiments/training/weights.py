"""Weights of a network from any file that holds them: a training's checkpoint, a finished training's, the release's."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.weights.inherit import inherit
from topformer.weights.released import holds_backbone_alone
from topformer.weights.state import (
    CLASSIFIER,
    OF_A_RELEASED_ONE,
    OF_A_SEGMENTOR,
    OPTIONAL,
    Held,
    data_set,
    read_content,
    read_state,
    read_trained,
)

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


def peek_classes(path: Path) -> Mapping[str, Any]:
    """What the file says of its data set (`classes`, `palette`), if anything.

    Raises:
        CheckpointError: The file cannot be read.
    """
    return data_set(read_content(path))


def start_of_configuration(path: Path) -> dict[str, str]:
    """What a configuration says that mmengine alone is to start from: the argument of `mmengine_configuration`.

    A released ImageNet backbone is `pretrained`; a whole segmentor, ours or the release's, is `initial`.

    Raises:
        CheckpointError: The file cannot be read, or has names that mmengine does not find.
    """
    content = read_content(path)
    if holds_backbone_alone(content):
        return {"pretrained": str(path)}
    held = content.get("state_dict", content)
    if not any(name.startswith((OF_A_SEGMENTOR, OF_A_RELEASED_ONE)) for name in held):
        raise CheckpointError(
            f"{path} is no checkpoint of a segmentor, so that a configuration cannot start from it; a training can, "
            "without --print-config"
        )
    return {"initial": str(path)}


def trained_weights(path: Path, design: Design) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The weights of a network that is to predict, and what the file says of its data set; errors as `read_trained`."""
    found = read_trained(path, design)
    return found.state, data_set(found.content)


def digest(path: Path) -> str:
    """What tells a file of weights from another, wherever it lies."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def start_digest(path: Path, *, skip_classifier: bool) -> str:
    """What a training starts from, as its identity holds it: the file, and whether its classifier is left out."""
    return f"{digest(path)}{' without classifier' if skip_classifier else ''}"


def starting_weights(
    path: Path, source: Design, design: Design, *, seed: int, skip_classifier: bool = False
) -> tuple[dict[str, Tensor], Start]:
    """Weights to start a training of `design` from: those of `source` in a file, sliced where the designs differ.

    What the file does not have is initialised with the seed, and so is the classifier where it is skipped.

    Returns:
        The state dict, and where each tensor comes from.

    Raises:
        CheckpointError: The file cannot be read or belongs to another design than `source`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        held = read_state(path, source, skip_classifier=skip_classifier)
        found, report = inherit(held.state, source, design)
    absent = tuple(part for part in (*OPTIONAL, CLASSIFIER) if _lacks(held, part))
    fresh = {name for name in found if absent and name.startswith(absent)} | set(report.new)
    return found, Start(
        inherited=tuple(name for name in report.inherited if name not in fresh),
        sliced=tuple(name for name in report.sliced if name not in fresh),
        new=tuple(name for name in found if name in fresh),
    )


def _lacks(held: Held, part: str) -> bool:
    """Whether a file gave nothing of a part."""
    return set(held.kept) >= {name for name in held.state if name.startswith(part)} != set()


def start_lines(path: Path, source: Design, design: Design, *, skip_classifier: bool = False) -> list[str]:
    """What `starting_weights` gives, as lines for the user.

    Raises:
        CheckpointError: As there.
    """
    start = starting_weights(path, source, design, seed=0, skip_classifier=skip_classifier)[1]
    skipped = [f"the classifier is new, as --skip-classifier asks: {design.num_classes} classes"]
    return [f"from {path} (all names: start.json)", *start.lines(), *(skipped if skip_classifier else []), ""]
