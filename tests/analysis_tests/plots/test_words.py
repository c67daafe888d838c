"""Metrics in words."""

import pytest

from analysis.plots.words import metric_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("miou@tokenworld-128", "mIoU on tokenworld-128"),
        ("latency_ms@snapdragon-865", "latency on snapdragon-865"),
        ("latency_ms@phone+argmax", "latency on phone to the class of every pixel"),
        ("latency_ms@phone+own-end", "latency on phone to own-end"),
        ("macs", "MACs"),
        ("zico@tokenworld-128", "zico on tokenworld-128"),
    ],
)
def test_a_metric_is_said_in_words(name: str, words: str) -> None:
    assert metric_words(name) == words
