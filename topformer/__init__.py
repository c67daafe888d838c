"""The TopFormer network, as data (`Design`) and as modules.

The names below load when they are first used, so that designs and costs need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topformer.codec import canonical, fingerprint, from_json, to_json
    from topformer.design import Block, Bottleneck, Design, Extractor, Head, Injection, Pooled, Stem
    from topformer.presets import BASE, NANO, SMALL, TINY, dense_head, preset

__version__ = "0.1.0"

_HOME = {
    "BASE": "presets",
    "Block": "design",
    "Bottleneck": "design",
    "Design": "design",
    "Extractor": "design",
    "Head": "design",
    "Injection": "design",
    "NANO": "presets",
    "Pooled": "design",
    "SMALL": "presets",
    "Stem": "design",
    "TINY": "presets",
    "canonical": "codec",
    "dense_head": "presets",
    "fingerprint": "codec",
    "from_json": "codec",
    "preset": "presets",
    "to_json": "codec",
}

__all__ = [
    "BASE",
    "NANO",
    "SMALL",
    "TINY",
    "Block",
    "Bottleneck",
    "Design",
    "Extractor",
    "Head",
    "Injection",
    "Pooled",
    "Stem",
    "canonical",
    "dense_head",
    "fingerprint",
    "from_json",
    "preset",
    "to_json",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
