"""Random small designs of every kind, for the tests of costs."""

import random
from collections.abc import Iterator

from search_space.candidate import Candidate
from topformer.design import SCALES, Block, Bottleneck, Design, Extractor, Head, Injection, Pooled, Stem


def random_candidate(seed: int) -> Candidate:
    """A small design; the kinds follow the seed, so that a range of seeds has all of them, and the rest is drawn."""
    draw = random.Random(seed)
    rows, taps = _pyramid(draw)
    design = Design(
        stem=Stem(channels=draw.randint(1, 9), kernel=draw.choice((1, 3, 5))),
        rows=rows,
        taps=taps,
        pooled=list(Pooled)[seed % 2],
        pool_stride=draw.choice((32, 64, 128)),
        extractor=list(Extractor)[seed % 5],
        blocks=tuple(_block(draw) for _ in range(draw.randint(1, 2))),
        extra_ffns=draw.randint(0, 4) / 2,
        injected=tuple(scale for scale in SCALES if draw.random() < 0.6) or (draw.choice(SCALES),),
        injection=list(Injection)[seed % 4],
        width=draw.randint(2, 12),
        head=list(Head)[seed % 3],
        num_classes=draw.randint(1, 13),
    )
    return Candidate(design=design, height=draw.randint(32, 200), width=draw.randint(32, 200))


def _pyramid(draw: random.Random) -> tuple[tuple[Bottleneck, ...], tuple[int, ...]]:
    """Rows before the first scale, then one to three for each scale; any row of a scale but the last may be its tap."""
    rows = [_row(draw, 1) for _ in range(draw.randint(0, 1))]
    taps = []
    for scale in SCALES:
        first = len(rows)
        rows += [_row(draw, 2), *(_row(draw, 1) for _ in range(draw.randint(0, 1)))]
        taps.append(len(rows) - 1 if scale == SCALES[-1] else draw.randint(first, len(rows) - 1))
    return tuple(rows), tuple(taps)


def _row(draw: random.Random, stride: int) -> Bottleneck:
    # Few channel counts, so that residual rows are common.
    return Bottleneck(
        kernel=draw.choice((1, 3, 5, 7)), expand=draw.randint(1, 3), channels=draw.choice((2, 3, 8)), stride=stride
    )


def _block(draw: random.Random) -> Block:
    return Block(
        heads=draw.randint(1, 3),
        key_dim=draw.randint(1, 5),
        attention_ratio=draw.uniform(1.0, 3.0),
        ffn_ratio=draw.uniform(0.3, 3.0),
    )


def random_candidates(seeds: range) -> Iterator[Candidate]:
    """One candidate per seed."""
    return map(random_candidate, seeds)
