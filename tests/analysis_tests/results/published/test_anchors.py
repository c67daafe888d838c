"""The published points: how many, of which network, and what the text says beside them."""

from collections import Counter
from dataclasses import replace

from analysis.results.published.anchors import PAPER, RELEASE, SEARCHED, anchors, contrasts
from topformer.design import Extractor, Head
from topformer.presets import BASE, TINY


def test_every_published_topformer_is_an_anchor() -> None:
    assert Counter((one.dataset, one.source) for one in anchors()) == {
        ("ade20k", PAPER): 6,
        ("ade20k", RELEASE): 8,
        ("ade20k", SEARCHED): 4,
        ("coco-stuff-10k", PAPER): 3,
        ("pascal-context-59", PAPER): 1,
        ("pascal-context-60", PAPER): 1,
    }


def test_an_anchor_has_the_number_that_was_printed() -> None:
    known = {(one.dataset, one.source, one.design, one.side, one.batch): one.miou for one in anchors()}
    assert known["ade20k", PAPER, TINY, 448, 16] == 32.5
    assert known["ade20k", PAPER, replace(BASE, head=Head.CONCAT), 512, 16] == 37.1
    assert known["ade20k", RELEASE, BASE, 512, 32] == 39.2
    assert known["pascal-context-60", PAPER, TINY, 480, 16] == 36.41


def test_the_text_speaks_of_single_changes() -> None:
    spoken = {(one.base, one.changed): (one.miou, one.is_printed) for one in contrasts()}
    (without,) = [pair for pair in spoken if pair[1].extractor is Extractor.NONE]
    assert without[0] == TINY
    assert spoken[without] == (-10, True)
    assert spoken[BASE, replace(BASE, injected=(16, 32))] == (-1, False)
    assert len(spoken) == 7
