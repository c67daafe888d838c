"""Random designs for property tests: small enough to build and run in milliseconds."""

from dataclasses import replace

from hypothesis import strategies as st

from topformer.design import SCALES, Block, Bottleneck, Design, Extractor, Head, Injection, Pooled, Stem

_CHANNELS = st.integers(1, 6)

STEMS = st.builds(Stem, channels=_CHANNELS, kernel=st.sampled_from((1, 3, 5)))

BLOCKS = st.builds(
    Block,
    heads=st.integers(1, 3),
    key_dim=st.integers(1, 5),
    attention_ratio=st.floats(1.0, 3.0),
    ffn_ratio=st.floats(1.0, 3.0),
)


@st.composite
def pyramids(draw: st.DrawFn) -> tuple[tuple[Bottleneck, ...], tuple[int, ...]]:
    """Rows and taps: each scale has one row of stride 2 and up to one of stride 1, behind rows at 1/2."""
    row = st.builds(
        Bottleneck, kernel=st.sampled_from((1, 3, 5)), expand=st.integers(1, 3), channels=_CHANNELS, stride=st.just(1)
    )
    rows = draw(st.lists(row, max_size=1))
    taps = []
    for _ in SCALES:
        first, *more = draw(st.lists(row, min_size=1, max_size=2))
        rows += [replace(first, stride=2), *more]
        taps.append(len(rows) - 1)
    return tuple(rows), tuple(taps)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    rows, taps = draw(pyramids())
    return Design(
        stem=draw(STEMS),
        rows=rows,
        taps=taps,
        pooled=draw(st.sampled_from(Pooled)),
        pool_stride=draw(st.sampled_from((32, 64, 128))),
        extractor=draw(st.sampled_from(Extractor)),
        blocks=tuple(draw(st.lists(BLOCKS, min_size=1, max_size=2))),
        extra_ffns=draw(st.integers(0, 4)) / 2,
        injected=tuple(sorted(draw(st.sets(st.sampled_from(SCALES), min_size=1)))),
        injection=draw(st.sampled_from(Injection)),
        width=draw(st.integers(1, 6)),
        head=draw(st.sampled_from(Head)),
        num_classes=draw(st.integers(1, 7)),
    )
