"""Metrics in words, as axes of figures say them."""

from collections.abc import Mapping
from types import MappingProxyType

_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "miou": "mIoU",
        "latency_ms": "latency",
        "macs": "MACs",
        "parameters": "parameters",
        "peak_activation_bytes": "peak of the activations",
    }
)
_ENDS: Mapping[str, str] = MappingProxyType(
    {
        "upsample": "to the resized logits",
        "argmax": "to the class of every pixel",
        "argmax-nearest": "to the classes, repeated to the image",
    }
)


def rung_words(name: str, source: str) -> str:
    """A rung of a ladder in words: `zico@tokenworld-128` is `zico`, and one of source `supernet` is `supernet`.

    Args:
        name: Its metric, or how long it trains.
        source: Where its numbers come from.
    """
    if source == "trained":
        return name
    return source if source in ("supernet", "surrogate") else metric_words(name.partition("@")[0])


def metric_words(name: str) -> str:
    """A metric in words: `latency_ms@phone+argmax` is `latency on phone to the class of every pixel`.

    A name of another family keeps its own.
    """
    family, _, where = name.partition("@")
    place, _, end = where.partition("+")
    words = _FAMILIES.get(family, family)
    words += f" on {place}" if place else ""
    return f"{words} {_ENDS.get(end, f'to {end}')}" if end else words
