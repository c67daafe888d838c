"""The weights of a network from any file that holds them: ours, mmengine's, the release's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from topformer.design import Design
from topformer.errors import CheckpointError
from topformer.network import TopFormer
from topformer.weights.plain import check_finite, held_tensors, load_plain
from topformer.weights.released import load_released
from topformer.weights.segmentor import from_segmentor_state

OF_A_SEGMENTOR = "backbone.body."
OF_A_RELEASED_ONE = "backbone.tpm."
CLASSIFIER = "head.classifier."
OPTIONAL = ("backbone.injection.", "head.")
"""Parts that a pre-trained backbone does not have."""
_OF_A_NETWORK = "backbone.pyramid."
_CLASSIFIERS = (f"{CLASSIFIER}weight", "decode_head.body.classifier.weight", "decode_head.conv_seg.weight")
"""The weight with one row per class: by our name, mmengine's, and the release's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a file holds of a network.

    Attributes:
        state: State dict of a `TopFormer`.
        kept: The names in it that the file did not give.
        content: All that is in the file.
    """

    state: dict[str, Tensor]
    kept: tuple[str, ...]
    content: Mapping[str, Any]


def read_content(path: Path) -> Mapping[str, Any]:
    """What a checkpoint file maps names to.

    Raises:
        CheckpointError: The file cannot be read, or is none.
    """
    content = load_plain(path, map_location="cpu")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} must hold a mapping of names to tensors, got {type(content).__name__}")
    return content


def read_state(path: Path, design: Design, *, skip_classifier: bool = False) -> Held:
    """The weights in a file, for a network of the design.

    Known are mmengine's checkpoints of our segmentor, state dicts of a `TopFormer` or of a `TopFormerClassifier`, and
    the released checkpoints, ImageNet backbones among them; the names may have the prefixes of torch's wrappers.

    Args:
        path: The file; nothing in it is run.
        design: The network that it was trained with.
        skip_classifier: Leave the classifier initialised, for instance because the classes are others.

    Raises:
        CheckpointError: The file cannot be read, belongs to another design, or has weights that are not finite.
    """
    content = read_content(path)
    held = held_tensors(content)
    if not skip_classifier:
        _check_classes(path, held, design)
    network = TopFormer(design)
    if any(name.startswith((OF_A_SEGMENTOR, _OF_A_NETWORK)) for name in held):
        state, kept = _own(path, held, network, skip_classifier=skip_classifier)
        return Held(state=state, kept=kept, content=content)
    try:
        report = load_released(network, content, skip_classifier=skip_classifier)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Held(state=network.state_dict(), kept=report.kept, content=content)


def read_trained(path: Path, design: Design) -> Held:
    """As `read_state`, for a network that is to predict: every tensor must be in the file.

    Raises:
        CheckpointError: As there, or the file holds a backbone alone.
    """
    found = read_state(path, design)
    lacking = [name for name in found.kept if not name.endswith("num_batches_tracked")]
    if lacking:
        raise CheckpointError(f"{path} holds no trained head; {len(lacking)} tensors are missing, first {lacking[0]}")
    return found


def data_set(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What mmengine (1.x) or mmcv (0.x) wrote down about the data set: `classes` and `palette`."""
    meta = content.get("meta")
    if not isinstance(meta, Mapping):
        return {}
    found = meta.get("dataset_meta", {"classes": meta.get("CLASSES"), "palette": meta.get("PALETTE")})
    return {name: value for name, value in found.items() if name in ("classes", "palette") and value}


def _check_classes(path: Path, held: Mapping[str, Any], design: Design) -> None:
    weight = next((held[name] for name in _CLASSIFIERS if isinstance(held.get(name), Tensor)), None)
    if weight is not None and weight.dim() and weight.shape[0] != design.num_classes:
        raise CheckpointError(
            f"{path} is of another design: it is for {weight.shape[0]} classes, the network has {design.num_classes}; "
            f"--classes {weight.shape[0]} makes a network of as many, a training loads all but the classifier with "
            "--skip-classifier, an evaluator with skip_classifier = true"
        )


def _own(
    path: Path, held: Mapping[str, Any], network: TopFormer, *, skip_classifier: bool
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Weights under our names, and the names that the file lacks: all of a part, as in a pre-trained backbone."""
    odd = [name for name, value in held.items() if not isinstance(value, Tensor)]
    if odd:
        raise CheckpointError(f"{path} must hold tensors, got other values under {', '.join(odd[:8])}")
    state = {name: value for name, value in held.items() if not name.startswith(("data_preprocessor.", "classifier."))}
    if any(name.startswith(OF_A_SEGMENTOR) for name in state):
        state = from_segmentor_state(state)
    if skip_classifier:
        state = {name: value for name, value in state.items() if not name.startswith(CLASSIFIER)}
    absent = tuple(part for part in OPTIONAL if not any(name.startswith(part) for name in state))
    absent += (CLASSIFIER,) if skip_classifier else ()
    kept = {name: value for name, value in network.state_dict().items() if absent and name.startswith(absent)}
    try:
        network.load_state_dict({**kept, **state}, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path} is of another design; {' '.join(str(error).split())[:300]}") from None
    check_finite(state, path)
    return {**kept, **state}, tuple(kept)
