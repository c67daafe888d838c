"""Where the graph of a network ends: what is exported, timed and predicted."""

from enum import StrEnum


class Boundary(StrEnum):
    """Where the graph ends."""

    LOGITS = "logits"
    """At the logits, at the finest injected scale: 1/8 of the image in all published designs and latencies."""
    UPSAMPLE = "upsample"
    """At the logits resized to the image."""
    ARGMAX = "argmax"
    """At the class of every pixel: the logits resized to the image, and their argmax."""
