"""What a space gives: always valid, canonical, expressible again, and asked only what applies."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.axes.network import width_axis
from search_space.candidate import Candidate
from search_space.spaces.sampling import DictChooser, RecordingChooser
from search_space.spaces.space import Space, space, spaces
from search_space.spaces.validity import POOLED_GRID, broken_rules
from tests.search_space_tests.choosers import SeededChooser
from topformer.codec import from_json, to_json
from topformer.design import Block, Design, Extractor, Head
from topformer.errors import DesignError, SpaceError
from topformer.presets import BASE, NANO, PRESETS, SMALL, TINY

SPACES = {name: space(name) for name in spaces()}
UNEVEN = replace(
    BASE,
    blocks=(Block(heads=3), Block(heads=3, key_dim=24), Block(heads=5, attention_ratio=1.7, ffn_ratio=1.3)),
    rows=(*BASE.rows[:2], replace(BASE.rows[2], kernel=7, expand=9, channels=40), *BASE.rows[3:]),
    width=100,
    pool_stride=256,
    injected=(4, 32),
    head=Head.CONCAT,
)


class _Drawn:
    """Asks hypothesis."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choose(self, name: str, labels: tuple[str, ...]) -> str:
        return self._data.draw(st.sampled_from(labels))


def _one_label_each(s: Space) -> DictChooser:
    return DictChooser({axis.name: axis.labels[0] for axis in s.axes})


@pytest.mark.parametrize("name", spaces())
@given(data=st.data())
@settings(max_examples=15)
def test_any_answers_give_a_valid_canonical_candidate_that_the_space_can_express(
    name: str, data: st.DataObject
) -> None:
    s = SPACES[name]
    candidate = s.suggest(_Drawn(data))
    assert from_json(to_json(candidate.design)) == candidate.design
    assert candidate == candidate.canonical()
    assert broken_rules(candidate, s.rules) == ()
    labels = s.labels_of(candidate)
    assert labels is not None
    assert s.candidate(labels) == candidate


@pytest.mark.parametrize("name", spaces())
@pytest.mark.parametrize("seed", range(5))
def test_labels_are_read_back_as_they_were_answered(name: str, seed: int) -> None:
    s = SPACES[name].restricted({"head": "sum"}) if name != "published-search" else SPACES[name]
    recorder = RecordingChooser(SeededChooser(seed))
    candidate = s.suggest(recorder)
    labels = s.labels_of(candidate)
    assert labels is not None
    # A pattern that ends with its stage is read back as its shorter form.
    assert all(label == labels[axis] or label.startswith(labels[axis] + "-") for axis, label in recorder.labels.items())
    assert list(labels) == list(recorder.labels)


@pytest.mark.parametrize("name", spaces())
@pytest.mark.parametrize("base", [*PRESETS.values(), UNEVEN], ids=[*PRESETS, "uneven"])
@pytest.mark.parametrize("extractor", [Extractor.TRANSFORMER, Extractor.FFN, Extractor.NONE])
def test_a_space_holds_its_base(name: str, base: Design, extractor: Extractor) -> None:
    design = replace(base, extractor=extractor)
    s = space(name, base=design, height=512, width=384)
    assert Candidate(design=design, height=512, width=384) in s


@pytest.mark.parametrize("name", ["published-search", "full"])
@pytest.mark.parametrize("design", [TINY, SMALL, BASE])
def test_the_three_released_designs_lie_in_one_space(name: str, design: Design) -> None:
    same_head = replace(design, head=BASE.head)
    assert Candidate(design=same_head, height=512, width=512) in space(name, base="base")


def test_released_designs_differ_from_a_dense_space_by_their_head_alone() -> None:
    assert Candidate(design=TINY, height=512, width=512) not in space("published-search", base="base")
    assert Candidate(design=TINY, height=512, width=512) in space("full", base="base")


@pytest.mark.parametrize(
    "stranger",
    [
        Candidate(design=replace(TINY, num_classes=7), height=512, width=512),
        Candidate(design=replace(TINY, width=100), height=512, width=512),
        Candidate(design=NANO, height=512, width=512),
        Candidate(design=TINY, height=500, width=512),
        Candidate(design=replace(TINY, stem=replace(TINY.stem, kernel=5)), height=512, width=512),
    ],
)
@pytest.mark.parametrize("name", spaces())
def test_what_a_space_cannot_express_has_no_labels(name: str, stranger: Candidate) -> None:
    assert SPACES[name].labels_of(stranger) is None


@pytest.mark.parametrize(
    ("extractor", "asked", "left_out"),
    [
        ("transformer", {"depth", "block1_heads", "block1_key_dim", "block1_ffn_ratio"}, {"extra_ffns"}),
        ("ffn", {"depth", "block1_ffn_ratio", "extra_ffns"}, {"block1_heads", "block1_attention_ratio"}),
        ("ppm", set(), {"depth", "extra_ffns", "block1_heads", "block1_ffn_ratio"}),
    ],
)
def test_only_the_axes_of_the_chosen_extractor_are_asked(extractor: str, asked: set[str], left_out: set[str]) -> None:
    s = SPACES["full"].restricted({"extractor": extractor})
    recorder = RecordingChooser(_one_label_each(s))
    s.suggest(recorder)
    assert asked <= set(recorder.labels)
    assert left_out.isdisjoint(recorder.labels)


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_only_blocks_that_exist_are_asked(depth: int) -> None:
    s = SPACES["full"].restricted({"depth": str(depth), "extractor": "transformer"})
    recorder = RecordingChooser(_one_label_each(s))
    assert s.suggest(recorder).design.depth == depth
    numbers = {int(name[5]) for name in recorder.labels if name.startswith("block")}
    assert numbers == set(range(1, depth + 1))


def test_a_pyramid_without_lead_rows_has_no_axes_for_them() -> None:
    names = [axis.name for axis in space("published-search", base="nano", height=128, width=128).axes]
    assert not [name for name in names if name.startswith("lead")]


def test_labels_of_an_axis_are_the_same_in_every_walk() -> None:
    offered: dict[str, set[tuple[str, ...]]] = {}

    class Watching(SeededChooser):
        def choose(self, name: str, labels: tuple[str, ...]) -> str:
            offered.setdefault(name, set()).add(labels)
            return super().choose(name, labels)

    chooser = Watching(1)
    for _ in range(50):
        SPACES["full"].suggest(chooser)
    assert {len(seen) for seen in offered.values()} == {1}


def test_a_concatenation_of_one_scale_is_its_sum() -> None:
    labels = SPACES["paper"].labels_of(Candidate(design=TINY, height=512, width=512))
    assert labels is not None
    one = {**labels, "injected": "32"}
    concat, plain = (SPACES["paper"].candidate({**one, "head": head}) for head in ("concat", "sum"))
    assert concat == plain
    assert concat.design.head is Head.SUM


def test_restricting_keeps_the_order_and_takes_one_label_or_several() -> None:
    s = space("paper", only={"depth": ["4", "2"], "head": "sum"})
    assert s.axis("depth").labels == ("2", "4")
    assert s.axis("head").labels == ("sum",)
    assert s.describe()["axes"]["depth"] == ["2", "4"]


def test_pool_strides_that_one_token_cannot_tell_apart_are_not_offered() -> None:
    assert space("paper", height=64, width=64).axis("pool_stride").labels == ("s32", "s64")
    assert space("paper", height=128, width=128).axis("pool_stride").labels == ("s32", "s64", "s128")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: space("papers"), "unknown space 'papers'; did you mean 'paper'"),
        (lambda: space("paper", only={"deepth": "2"}), "axis of space 'paper' 'deepth'; did you mean 'depth'"),
        (lambda: space("paper", only={"depth": "40"}), "unknown label of axis 'depth' '40'; did you mean '4'"),
        (lambda: space("paper", only={"depth": []}), "axis 'depth' must have at least one choice"),
        (lambda: space("paper", base=replace(TINY, pool_stride=2048)), "leaves one token, as 1024 does"),
        (lambda: SPACES["paper"].candidate({"depth": "2"}), "axis 'pooled' has no label; accepted: all, last"),
        (lambda: SPACES["paper"].sample(0, 10**6), "n must lie between 0 and the 106,272 designs"),
        (lambda: SPACES["paper"].sample(0, -1), "got -1"),
    ],
)
def test_mistakes_are_named(act: Callable[[], object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        act()


def test_a_label_for_an_axis_that_does_not_apply_is_a_mistake() -> None:
    s = SPACES["full"].restricted({"depth": "1", "extractor": "transformer"})
    recorder = RecordingChooser(_one_label_each(s))
    s.suggest(recorder)
    assert s.candidate(recorder.labels).design.depth == 1
    with pytest.raises(SpaceError, match="axis 'block2_heads' does not apply"):
        s.candidate({**recorder.labels, "block2_heads": "4"})


def test_two_axes_of_one_name_are_refused() -> None:
    with pytest.raises(SpaceError, match="different names, got width twice"):
        Space(name="double", base=SPACES["paper"].base, axes=(width_axis((64,)), width_axis((128,))))


def test_an_unknown_preset_is_a_design_error() -> None:
    with pytest.raises(DesignError, match="did you mean 'tiny'"):
        space("paper", base="tinny")


def test_a_rejected_candidate_says_why() -> None:
    coarse = Candidate(design=replace(TINY, pool_stride=256), height=128, width=96)
    assert broken_rules(coarse, [POOLED_GRID]) == (
        "pooled grid: pool_stride 256 on 128x96 leaves one token, as 128 does",
    )


@pytest.mark.parametrize(
    "names",
    ["search_space.spaces.space import spaces as names", "search_space.latency.devices import devices as names"],
)
def test_names_for_a_help_text_need_neither_torch_nor_numpy(names: str) -> None:
    code = f"import sys\nfrom {names}\nassert len(names()) > 2\nsys.exit(bool({{'torch', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_spaces_are_made_without_torch_and_numpy() -> None:
    making = "import sys\nfrom search_space.spaces.space import space\nspace('full')"
    code = f"{making}\nsys.exit(bool({{'torch', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
