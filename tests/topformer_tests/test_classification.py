"""The classification network against the released checkpoints and their published numbers."""

from dataclasses import replace

import pytest
import torch

from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.cost.counters import count_fvcore
from tests.topformer_tests.golden import golden
from topformer import BASE, NANO, SMALL, TINY, Design, Extractor
from topformer.classification import TopFormerClassifier, released_state
from topformer.errors import DesignError, InputError
from topformer.network import TopFormer
from topformer.weights.released import load_released

# PaddleViT's table of the ported checkpoints (image_classification/TopFormer/README.md): millions, and 1e9 MACs.
PUBLISHED = {"tiny": (TINY, 1.5, 0.13), "small": (SMALL, 3.1, 0.24), "base": (BASE, 5.1, 0.37)}


@pytest.mark.parametrize(("design", "millions", "gmacs"), PUBLISHED.values(), ids=PUBLISHED)
def test_parameters_and_macs_are_those_published(design: Design, millions: float, gmacs: float) -> None:
    model = TopFormerClassifier(design)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions
    assert round(count_fvcore(model, 224, 224).total / 1e9, 2) == gmacs


@pytest.mark.parametrize("design", [TINY, NANO, replace(NANO, extractor=Extractor.PPM)], ids=["tiny", "nano", "ppm"])
def test_parameters_are_the_closed_form_without_injection_and_head(design: Design) -> None:
    found = sum(p.numel() for p in TopFormerClassifier(design, classes=10).parameters())
    shares = cost(Candidate(design=design, height=224, width=224)).by_module
    trunk = sum(share.parameters for name, share in shares.items() if name not in ("injection", "head"))
    assert found == trunk + 2 * design.embedding + 10 * design.embedding + 10


def test_names_are_those_of_the_released_checkpoints() -> None:
    released = {name.removeprefix("backbone.") for name in golden("tiny_released").shapes}
    trunk = {name for name in released if name.startswith(("tpm.", "trans."))}
    statistics = {
        f"head.bn.{leaf}" for leaf in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    found = released_state(TopFormerClassifier(TINY).state_dict(), TINY)
    assert set(found) == trunk | statistics | {"head.l.weight", "head.l.bias"}


def test_weights_reach_the_segmentation_network() -> None:
    classifier, network = TopFormerClassifier(NANO, classes=3), TopFormer(NANO)
    report = load_released(network, {"state_dict_ema": released_state(classifier.state_dict(), NANO)})
    state = network.state_dict()
    trunk = {k: v for k, v in classifier.state_dict().items() if k.startswith("backbone.")}
    assert set(report.loaded) == set(trunk)
    assert all(torch.equal(state[name], value) for name, value in trunk.items())
    assert all(name.startswith(("head.bn.", "head.l.")) for name in report.ignored)


def test_logits_are_those_of_averaged_semantics() -> None:
    torch.manual_seed(0)
    model = TopFormerClassifier(NANO, classes=5).eval()
    image = torch.randn(2, 3, 96, 64)
    semantics = model.backbone.semantics(model.backbone.pyramid(image))
    assert semantics.shape == (2, NANO.embedding, 3, 2)
    norm, linear = model.classifier.norm, model.classifier.linear
    wanted = linear(norm(torch.nn.functional.adaptive_avg_pool2d(semantics, 1).flatten(1)))
    assert torch.allclose(model(image), wanted, atol=1e-6)


def test_dropout_stands_before_the_norm() -> None:
    """A dropped channel is then its norm's value of 0, not 0."""
    torch.manual_seed(1)
    head = TopFormerClassifier(NANO, classes=5, dropout=0.5).classifier.train()
    read: list[torch.Tensor] = []
    head.norm.register_forward_hook(lambda _module, inputs, _given: read.append(inputs[0]))
    head(torch.ones(8, NANO.embedding))
    assert set(read[0].flatten().tolist()) == {0.0, 2.0}


def test_what_it_refuses() -> None:
    with pytest.raises(DesignError, match="classes must be an integer of at least 1, got 0"):
        TopFormerClassifier(NANO, classes=0)
    with pytest.raises(InputError, match="dropout"):
        TopFormerClassifier(NANO, dropout=1.0)
