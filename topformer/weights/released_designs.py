"""Designs from the keys of the released configuration files: those of its backbone and of its head."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from topformer.design import SCALES, Block, Bottleneck, Design, Head, Injection
from topformer.errors import DesignError, unknown_name
from topformer.presets import TINY

BACKBONE, HEAD = "Topformer", "SimpleHead"
"""Names of the released backbone and head in mmsegmentation."""

INJECTIONS: Mapping[str, Injection] = {
    "muli_sum": Injection.GATE_SUM,
    "muli_sum_cbr": Injection.GATE_SUM_CBR,
    "fuse_multi": Injection.GATE,
    "fuse_sum": Injection.SUM,
}
"""Names of the released injection modules, as they are spelled there."""

_INJECTED = (1, 2, 3)
"""Numbers of the injected scales where a file does not say them; other defaults of the release stand where used."""


def backbone_design(settings: Mapping[str, Any]) -> Design:
    """The design of a released backbone's keys; its head is Tiny's.

    Args:
        settings: `cfgs`, `channels`, `out_channels`, `embed_out_indice`, and if wanted `decode_out_indices`, `depths`,
            `key_dim`, `num_heads`, `attn_ratios`, `mlp_ratios`, `c2t_stride` and `injection_type`.

    Raises:
        DesignError: A key is missing, or the values describe no network.
    """
    rows = tuple(Bottleneck(kernel=k, expand=t, channels=c, stride=s) for k, t, c, s in _get(settings, "cfgs"))
    taps = tuple(_get(settings, "embed_out_indice"))
    if [rows[tap].channels for tap in taps if tap < len(rows)] != list(_get(settings, "channels")):
        raise DesignError(f"channels must be those of the rows {taps}, got {settings['channels']}")
    injection = settings.get("injection_type", "muli_sum")
    if injection not in INJECTIONS:
        raise DesignError(unknown_name("injection_type", injection, INJECTIONS))
    block = Block(
        heads=settings.get("num_heads", 8),
        key_dim=settings.get("key_dim", 16),
        attention_ratio=float(settings.get("attn_ratios", 2)),
        ffn_ratio=float(settings.get("mlp_ratios", 2)),
    )
    injected = settings.get("decode_out_indices", _INJECTED)
    return Design(
        rows=rows,
        taps=taps,
        pool_stride=SCALES[-1] * settings.get("c2t_stride", 2),
        blocks=(block,) * settings.get("depths", 4),
        injected=tuple(SCALES[i] for i in injected),
        injection=INJECTIONS[injection],
        width=_only("out_channels of the injected scales", [_get(settings, "out_channels")[i] for i in injected]),
        head=TINY.head,
        num_classes=TINY.num_classes,
    )


def head_design(settings: Mapping[str, Any]) -> Design:
    """A design with the head of a released head's keys: `in_channels`, `channels`, `num_classes` and `is_dw`.

    Only its head, width, number of injected scales and classes mean something; its backbone is Tiny's.

    Raises:
        DesignError: A key is missing, or the values describe no head.
    """
    maps = list(_get(settings, "in_channels"))
    if not 1 <= len(maps) <= len(SCALES):
        raise DesignError(f"in_channels must have 1 to {len(SCALES)} numbers, got {maps}")
    return replace(
        TINY,
        injected=SCALES[-len(maps) :],
        width=_only("in_channels and channels of the head", [*maps, _get(settings, "channels")]),
        head=Head.SUM_DEPTHWISE if settings.get("is_dw") else Head.SUM,
        num_classes=_get(settings, "num_classes"),
    )


def design_of_release(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> Design:
    """The design of a released backbone's and head's keys together.

    Raises:
        DesignError: A key is missing, the values describe no network, or backbone and head do not fit.
    """
    body, top = backbone_design(backbone), head_design(head)
    if (body.width, len(body.injected)) != (top.width, len(top.injected)):
        raise DesignError(
            f"the backbone gives {len(body.injected)} maps of {body.width} channels, the head takes "
            f"{len(top.injected)} of {top.width}"
        )
    return replace(body, head=top.head, num_classes=top.num_classes)


def _get(settings: Mapping[str, Any], key: str) -> Any:
    if key not in settings:
        raise DesignError(f"the release's settings have no {key}, got {', '.join(settings)}")
    return settings[key]


def _only(what: str, values: list[int]) -> int:
    if len(set(values)) != 1:
        raise DesignError(f"{what} must agree, got {values}")
    return values[0]
