"""Weights of the released TopFormer, loaded by name into a network of ours."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from torch import Tensor

from topformer.design import SCALES, Design, Extractor, Head, Injection, Pooled
from topformer.errors import CheckpointError
from topformer.network import Backbone, TopFormer
from topformer.weights.plain import STATES, check_finite, held_tensors, load_plain

Source = str | PathLike[str] | Mapping[str, Any]
"""A checkpoint file, or what was read from one."""

_PARTS = ("backbone.tpm.", "backbone.trans.", "backbone.SIM.", "decode_head.")
"""Released names of everything that our networks have; any other entry belongs to another network."""

_INJECTION_NAMES: Mapping[Injection, Mapping[str, str]] = {
    Injection.GATE_SUM: {"local": "local_embedding", "gate": "global_act", "info": "global_embedding"},
    Injection.GATE_SUM_CBR: {"local": "local_embedding", "gate": "global_act", "info": "global_embedding"},
    Injection.GATE: {"local": "fuse1", "gate": "fuse2"},
    Injection.SUM: {"local": "fuse1", "info": "fuse2"},
}
"""Our parts of an injection module to the released ones."""

_RELEASED: Mapping[str, frozenset[Any]] = {
    "pooled": frozenset({Pooled.ALL}),
    "extractor": frozenset({Extractor.TRANSFORMER}),
    "injection": frozenset(_INJECTION_NAMES),
    "head": frozenset({Head.SUM, Head.SUM_DEPTHWISE}),
}
"""Parts of a design for which there are released names."""

_OPTIONAL = ("backbone.SIM.", "decode_head.")
"""Parts that an ImageNet checkpoint does not have at all."""

_CLASSIFIER = "decode_head.conv_seg."

_COUNTER = "num_batches_tracked"

_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a checkpoint gave, by name.

    Attributes:
        loaded: Tensors of the network that were set.
        kept: Tensors of the network that stayed as they were, because the checkpoint has no such part or the
            classifier was skipped.
        ignored: Tensors of the checkpoint that were not used, such as the classifier of an ImageNet model.
    """

    loaded: tuple[str, ...]
    kept: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every weight and statistic of the network was set."""
        return all(name.endswith(_COUNTER) for name in self.kept)


def load_released(model: TopFormer, source: Source, *, skip_classifier: bool = False) -> LoadReport:
    """Set the weights of `model` to those of a released checkpoint.

    Whole segmentation networks and ImageNet backbones are known, with SyncBN or BN, under `state_dict_ema`,
    `state_dict`, `model` or bare, with or without the prefixes `module.` and `backbone.`. An ImageNet backbone
    has neither injection nor head: these keep their values and are reported in `kept`. Counters of batches
    (`num_batches_tracked`) may be absent; they are kept then. The model is unchanged when an error is raised.

    Args:
        model: A network of the design that the checkpoint was trained with.
        source: The file, read without running any code that it may contain, or its content.
        skip_classifier: Leave the classifier as it is, for instance because the classes are others.

    Raises:
        CheckpointError: The file cannot be read or would run code; the design has parts that were never released;
            tensors are missing, unexpected or of another shape, all of them listed.
    """
    state = _released_state(_read(source))
    names = name_map(model)
    wanted = {ours: name for ours, name in names.items() if _expected(name, state, skip_classifier=skip_classifier)}
    ours = model.state_dict()
    _check_fit(state, names, {name: tuple(ours[key].shape) for key, name in wanted.items()})
    given = {key: state[name] for key, name in wanted.items()}
    check_finite(given, source if isinstance(source, (str, PathLike)) else "the checkpoint")
    model.load_state_dict(given, strict=False)
    used = set(wanted.values())
    return LoadReport(
        loaded=tuple(wanted),
        kept=tuple(key for key in names if key not in wanted),
        ignored=tuple(name for name in state if name not in used),
    )


def load_released_backbone(backbone: Backbone, design: Design, source: Source) -> LoadReport:
    """As `load_released`, for a backbone alone; a head in the checkpoint is not looked at.

    Args:
        backbone: The backbone of `design`.
        design: The design; its head is not used.
        source: The file, or its content.

    Raises:
        CheckpointError: As there.
    """
    state = {
        name: value for name, value in _released_state(_read(source)).items() if not name.startswith("decode_head.")
    }
    network = TopFormer(replace(design, head=Head.SUM))
    network.backbone.load_state_dict(backbone.state_dict())
    report = load_released(network, state)
    backbone.load_state_dict(network.backbone.state_dict())
    return report


def holds_backbone_alone(content: Mapping[str, Any]) -> bool:
    """Whether what was read from a file is a released backbone without a segmentation head."""
    names = [_full_name(name) for name in held_tensors(content)]
    return any(name.startswith("backbone.tpm.") for name in names) and _CLASSIFIER + "weight" not in names


def _expected(name: str, state: Mapping[str, Tensor], *, skip_classifier: bool) -> bool:
    if name.startswith(_CLASSIFIER) and skip_classifier:
        return False
    if name.endswith(_COUNTER) and name not in state:
        return False
    absent = (part for part in _OPTIONAL if not any(other.startswith(part) for other in state))
    return not name.startswith(tuple(absent))


def _check_fit(state: Mapping[str, Tensor], names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> None:
    expected = set(names.values())
    missing = [name for name in shapes if name not in state]
    unexpected = [name for name in state if name.startswith(_PARTS) and name not in expected]
    misshaped = [
        f"{name} {tuple(state[name].shape)} for {shape}"
        for name, shape in shapes.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    faults = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped))
    problems = [f"{len(listed)} {what}: {', '.join(listed)}" for what, listed in faults if listed]
    if any(name.startswith(_CLASSIFIER) for name in misshaped):
        problems.append("skip_classifier=True loads the rest when the classes are others")
    if problems:
        raise CheckpointError(f"the checkpoint does not fit the network; {'; '.join(problems)}")


def name_map(model: TopFormer) -> dict[str, str]:
    """Our name of every tensor of the network to its released name.

    Raises:
        CheckpointError: The design has parts that were never released.
    """
    modules = dict(released_modules(model.design))
    return {
        f"{path}.{leaf}": f"{modules[path]}.{leaf}" for path, _, leaf in (k.rpartition(".") for k in model.state_dict())
    }


def was_released(design: Design) -> bool:
    """Whether every part of the design has a released name."""
    return all(getattr(design, field) in released for field, released in _RELEASED.items())


def released_modules(design: Design) -> Iterator[tuple[str, str]]:
    """Pairs of our path and the released path of every module with tensors.

    Raises:
        CheckpointError: The design has parts that were never released.
    """
    for field, released in _RELEASED.items():
        if getattr(design, field) not in released:
            raise CheckpointError(f"no weights were released for {field}={getattr(design, field).value!r}")
    yield from _pyramid(design)
    yield from _extractor(design)
    yield from _injection(design)
    yield from _unit("head.fuse", "decode_head.linear_fuse", conv="conv")
    yield "head.classifier", "decode_head.conv_seg"


def _unit(ours: str, released: str, *, conv: str = "c") -> Iterator[tuple[str, str]]:
    yield f"{ours}.conv", f"{released}.{conv}"
    yield f"{ours}.norm", f"{released}.bn"


def _pyramid(design: Design) -> Iterator[tuple[str, str]]:
    yield from _unit("backbone.pyramid.stem", "backbone.tpm.stem.0")
    for i, row in enumerate(design.rows):
        # The released list holds convolutions and activations in turn, and counts rows from 1.
        parts = ("expand", "depthwise", "project") if row.expand > 1 else ("depthwise", "project")
        for j, part in enumerate(parts):
            yield from _unit(f"backbone.pyramid.rows.{i}.{part}", f"backbone.tpm.layer{i + 1}.conv.{2 * j}")


def _extractor(design: Design) -> Iterator[tuple[str, str]]:
    for i in range(design.depth):
        ours, released = f"backbone.extractor.blocks.{i}", f"backbone.trans.transformer_blocks.{i}"
        yield from _unit(f"{ours}.attention.query", f"{released}.attn.to_q")
        yield from _unit(f"{ours}.attention.key", f"{released}.attn.to_k")
        yield from _unit(f"{ours}.attention.value", f"{released}.attn.to_v")
        yield from _unit(f"{ours}.attention.project", f"{released}.attn.proj.1")
        yield from _unit(f"{ours}.ffn.expand", f"{released}.mlp.fc1")
        yield f"{ours}.ffn.depthwise", f"{released}.mlp.dwconv"
        yield from _unit(f"{ours}.ffn.project", f"{released}.mlp.fc2")


def _injection(design: Design) -> Iterator[tuple[str, str]]:
    for i, scale in enumerate(design.injected):
        # The release counts all four scales; ours counts those that are injected.
        ours, released = f"backbone.injection.scales.{i}", f"backbone.SIM.{SCALES.index(scale)}"
        for part, name in _INJECTION_NAMES[design.injection].items():
            yield from _unit(f"{ours}.{part}", f"{released}.{name}", conv="conv")


def _released_state(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors of a checkpoint by their full released names."""
    held = held_tensors(content)
    odd = [str(key) for key, value in held.items() if not isinstance(value, Tensor)]
    if odd or not held:
        raise CheckpointError(
            f"the checkpoint must hold tensors under {', '.join(STATES)} or bare, "
            f"got {'other values under ' + _listed(odd) if odd else 'nothing'}"
        )
    return {_full_name(name): tensor for name, tensor in held.items()}


def _full_name(name: str) -> str:
    return f"backbone.{name}" if name.startswith(("tpm.", "trans.", "SIM.")) else name


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _read(source: Source) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    content = load_plain(source, map_location="cpu")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{source} must hold a mapping of names to tensors, got {type(content).__name__}")
    return content
