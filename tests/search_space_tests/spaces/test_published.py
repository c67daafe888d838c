"""The networks that the search of Efficient-TopFormer published lie in the published search space.

Widths, depths, kernels, expansions, heads, key dims and ratios are those of the log in github.com/Sanxianxiajiao/try,
commit ece9110, seg/README.md; stages are mb1 (the lead) to mb5, and trans1 to trans4.
"""

from typing import NamedTuple

import pytest

from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.design import Block, Bottleneck, Design, Head, Stem


class Searched(NamedTuple):
    width: list[int]
    depth: list[int]
    kernel: list[int]
    expand: list[int]
    heads: list[int]
    key_dim: list[int]
    attention: list[float]
    ffn: list[float]
    blocks: list[int]
    m: int
    head: Head = Head.SUM

    def design(self) -> Design:
        stages = list(zip(self.width[1:], self.depth, self.kernel, self.expand, (1, 2, 2, 2, 2), strict=True))
        rows = [
            Bottleneck(kernel=k, expand=t, channels=c, stride=s if row == 0 else 1)
            for c, d, k, t, s in stages
            for row in range(d)
        ]
        transformer = zip(self.heads, self.key_dim, self.attention, self.ffn, self.blocks, strict=True)
        return Design(
            stem=Stem(channels=self.width[0]),
            rows=tuple(rows),
            taps=tuple(sum(self.depth[: stage + 1]) - 1 for stage in range(1, 5)),
            blocks=tuple(
                Block(heads=h, key_dim=k, attention_ratio=a, ffn_ratio=f)
                for h, k, a, f, d in transformer
                for _ in range(d)
            ),
            width=self.m,
            head=self.head,
        )


# fmt: off
FOUND = {
    "tiny": Searched(
        [16, 16, 24, 32, 56, 104], [1, 1, 1, 3, 3], [3, 3, 5, 3, 5], [1, 3, 2, 2, 6],
        [6, 10, 4, 10], [18, 16, 18, 14], [1.8, 2.0, 1.6, 1.8], [2.4, 2.0, 2.2, 1.8], [1, 2, 2, 2],
        128, Head.SUM_DEPTHWISE,
    ),
    "small": Searched(
        [16, 16, 16, 48, 96, 136], [2, 2, 1, 3, 4], [5, 3, 5, 3, 3], [1, 3, 3, 2, 6],
        [6, 4, 4, 8], [16, 14, 16, 14], [1.6, 1.8, 1.8, 1.8], [2.2, 1.8, 2.0, 1.8], [2, 1, 2, 2],
        192,
    ),
    "base": Searched(
        [16, 16, 24, 72, 128, 176], [1, 1, 2, 2, 4], [5, 3, 3, 3, 3], [1, 4, 2, 2, 5],
        [10, 8, 12, 4], [18, 16, 16, 16], [1.6, 2.2, 1.8, 2.0], [2.2, 2.2, 1.6, 2.0], [2, 1, 2, 2],
        256,
    ),
}
# fmt: on


@pytest.mark.parametrize("name", FOUND)
def test_a_searched_network_lies_in_the_space_around_its_released_sibling(name: str) -> None:
    candidate = Candidate(design=FOUND[name].design(), height=512, width=512)
    s = space("published-search", base=name)
    labels = s.labels_of(candidate)
    assert labels is not None
    assert labels["depth"] == "7"
    assert labels["stage4_channels"] == str(FOUND[name].width[-1])
    assert s.candidate(labels) == candidate.canonical()
    assert candidate in space("full")


def test_the_choices_of_the_stages_are_the_union_of_the_three_published_configurations() -> None:
    s = space("published-search")
    published = {
        "stem": {16, 24},
        "lead_channels": {16, 24},
        "lead_rows": {1, 2},
        "stage1_channels": {16, 24} | {16, 24, 32} | {24, 32, 40},
        "stage2_channels": {24, 32, 40} | {40, 48, 56} | {56, 64, 72},
        "stage3_channels": {56, 64, 72, 80} | {88, 96, 104, 112} | {112, 120, 128, 136},
        "stage4_channels": {88, 96, 104, 112} | {120, 128, 136, 144} | {152, 160, 168, 176},
        "stage4_rows": {1, 2, 3} | {2, 3, 4},
        "width": {128} | {192} | {256},
        "block8_heads": {4, 6, 8, 10, 12},
        "block8_key_dim": {12, 14, 16, 18, 20},
    }
    for name, values in published.items():
        assert {int(label) for label in s.axis(name).labels} == values, name
