"""A store: what is cut is a network that stands alone, and gradients reach what was cut and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from topformer.design import Block, Design, Extractor, Head, Injection, Pooled
from topformer.errors import CheckpointError, DesignError
from topformer.network import TopFormer
from topformer.presets import NANO, TINY
from topformer.weights.statistics import skeleton
from topformer.weights.store import Store, is_head, is_norm

LARGE = replace(
    NANO,
    rows=tuple(replace(row, kernel=5, channels=row.channels + 8, expand=row.expand + 1) for row in NANO.rows),
    blocks=(Block(heads=6, key_dim=20, ffn_ratio=2.5),) * 3,
    injected=(4, 8, 16, 32),
    width=160,
)
SMALL = replace(
    NANO, blocks=(Block(heads=3, key_dim=12, attention_ratio=1.5, ffn_ratio=1.0),), injected=(8, 32), width=50
)
IMAGES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def kinds(design: Design) -> list[Design]:
    return [replace(design, pooled=pooled, head=head) for pooled in Pooled for head in Head]


@pytest.mark.parametrize("design", [*kinds(LARGE), *kinds(SMALL), *kinds(NANO)])
def test_a_slice_gives_the_logits_of_the_network_that_stands_alone(design: Design) -> None:
    store, network = Store.union(kinds(LARGE)), skeleton(design)
    alone = TopFormer(design, drop_path=0.0, dropout=0.0)
    alone.load_state_dict({name: part.clone() for name, part in store.cut(network).items()}, strict=False)
    found = functional_call(network, store.cut(network), (IMAGES,))
    torch.testing.assert_close(found, alone(IMAGES), atol=1e-6, rtol=1e-6)


def test_every_kind_of_module_is_cut() -> None:
    designs = [
        *(replace(LARGE, extractor=kind, extra_ffns=2) for kind in Extractor),
        *(replace(LARGE, injection=kind) for kind in Injection),
        replace(TINY, num_classes=11),
    ]
    store = Store.union([*designs, LARGE])
    for large in designs:
        narrow = tuple(replace(row, channels=max(row.channels - 8, 8)) for row in large.rows)
        network = skeleton(replace(large, rows=narrow, width=24))
        assert functional_call(network, store.cut(network), (IMAGES,)).isfinite().all()


def test_a_segment_a_head_and_the_centre_of_a_kernel_are_taken() -> None:
    store = Store.union([LARGE])
    parts = store.cut(skeleton(replace(SMALL, rows=NANO.rows)))
    # The embedding of LARGE is 24 + 40 + 72 + 104, that of NANO 16 + 32 + 64 + 96; its 6 heads have 20 keys each.
    query = store.values["extractor.transformer.0.attention.query.all.conv.weight"]
    embedding = [*range(16), *range(24, 56), *range(64, 128), *range(136, 232)]
    keys = [20 * head + i for head in range(3) for i in range(12)]
    name = "backbone.extractor.blocks.0.attention.query.conv.weight"
    assert torch.equal(parts[name], query[keys][:, embedding])
    kernel = store.values["rows.8.0.depthwise.conv.weight"]
    assert torch.equal(parts["backbone.pyramid.rows.1.depthwise.conv.weight"], kernel[: 16 * 3, :, 1:4, 1:4])


def test_gradients_reach_the_slices_and_nothing_else() -> None:
    store = Store.union(kinds(LARGE))
    before = {name: value.requires_grad_() for name, value in store.values.items()}
    network = skeleton(replace(SMALL, rows=LARGE.rows))
    functional_call(network, store.cut(network), (IMAGES,)).square().sum().backward()
    touched = {name for name, value in before.items() if value.grad is not None}
    assert not [name for name in touched if ".last." in name or "concat" in name or "depthwise.fuse" in name]
    assert not [name for name in touched if name.startswith("extractor.transformer.1.")]
    # Only M = 50 of 160 rows; scales 8 and 32; of the pyramid everything.
    grad = before["injection.units.8.local.gate+sum.conv.weight"].grad
    assert grad is not None
    assert grad[:50].abs().sum() > 0
    assert grad[50:].abs().sum() == 0
    assert "injection.units.4.local.gate+sum.conv.weight" not in touched
    assert {name for name in before if name.startswith("rows.")} <= touched


def test_kinds_have_weights_of_their_own() -> None:
    store = Store.union(kinds(LARGE))
    one, other = (store.cut(skeleton(replace(LARGE, pooled=pooled))) for pooled in Pooled)
    name = "backbone.extractor.blocks.0.ffn.expand.conv.weight"
    assert one[name].data_ptr() != other[name].data_ptr()
    name = "backbone.pyramid.stem.conv.weight"
    assert one[name].data_ptr() == other[name].data_ptr()


@pytest.mark.parametrize(
    ("design", "part"),
    [
        (replace(NANO, width=161), r"injection\.scales\.0\.local\.conv\.weight"),
        (replace(NANO, pooled=Pooled.LAST), r"backbone\.widen\.conv\.weight"),
        (replace(NANO, blocks=NANO.blocks * 2), r"blocks\.3\.attention\.query\.conv\.weight"),
        (replace(NANO, num_classes=12), r"head\.classifier\.weight, head\.classifier\.bias of this design"),
        (TINY, r"backbone\.pyramid\.rows\.0\.depthwise\.conv\.weight.* and \d+ more"),
    ],
)
def test_a_design_that_the_store_does_not_hold_is_refused_by_what_it_lacks(design: Design, part: str) -> None:
    with pytest.raises(DesignError, match=part):
        Store.union([LARGE]).cut(skeleton(design))


def test_designs_of_which_none_is_the_largest_make_no_store() -> None:
    wide, deep = replace(NANO, width=200), replace(NANO, rows=(*NANO.rows[:3], replace(NANO.rows[3], channels=120)))
    with pytest.raises(DesignError, match="none of the designs of a store has the whole of injection"):
        Store.union([wide, deep])


def test_a_store_comes_back_from_its_axes_and_tensors() -> None:
    store = Store.union([LARGE, SMALL])
    again = Store.from_json(store.to_json(), store.values)
    assert again.digest() == store.digest()
    assert again.to_json() == store.to_json()
    del again.values["stem.conv.weight"]
    with pytest.raises(CheckpointError, match=r"do not belong together: stem\.conv\.weight"):
        Store.from_json(store.to_json(), again.values)
    with pytest.raises(CheckpointError, match="must be tables"):
        Store.from_json({"stem": {}}, {})


def test_the_digest_follows_every_number() -> None:
    store = Store.union([SMALL])
    before = store.digest()
    store.values["stem.norm.bias"][0] = 1
    assert store.digest() != before


def test_names_tell_norms_and_heads() -> None:
    names = Store.union([SMALL]).values
    assert {name.split(".norm.")[0] for name in names if is_norm(name)} <= {n.split(".conv.")[0] for n in names}
    assert sum(map(is_head, names)) == 5
