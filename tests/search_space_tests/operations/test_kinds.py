"""Kinds of a network are entries of two tables, its modules and their operations; a new construction needs no more."""

from dataclasses import fields, replace
from types import MappingProxyType

import pytest
from torch import Tensor, nn

import search_space.cost.parts as parts
import search_space.operations.modules as closed_forms
from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.cost.conventions import measure
from search_space.operations.recorder import Grid, OperationRecorder, Value
from search_space.operations.walk import walk
from topformer import extractor, heads, injection
from topformer.design import Design, Extractor, Head, Injection
from topformer.layers import ConvUnit, convolution, grid, resize
from topformer.network import TopFormer
from topformer.presets import NANO
from topformer.weights.inherit import inherit


def test_every_kind_has_its_modules_and_its_operations() -> None:
    assert set(injection.INJECTIONS) == set(closed_forms.INJECTIONS) == set(Injection)
    assert set(heads.HEADS) == set(closed_forms.HEADS) == set(Head)
    assert set(extractor.EXTRACTORS) == set(parts.EXTRACTORS) == set(Extractor)


def test_every_field_of_a_design_is_known_to_some_group_of_parts() -> None:
    assert set().union(*parts.FIELDS_OF.values()) == {item.name for item in fields(Design)}


def operations_are_those_of_the_built_network(design: Design) -> bool:
    network = TopFormer(design)
    closed = operations(design, 96, 64)
    parameters = sum(p.numel() for p in network.parameters())
    return closed == walk(network, 96, 64) and measure(closed).parameters == parameters


class Product(nn.Module):
    """local * info: a construction that no kind has."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.local, self.info = ConvUnit(channels, width), ConvUnit(channels, width)

    def forward(self, tokens: Tensor, semantics: Tensor) -> Tensor:
        local: Tensor = self.local(tokens)
        return local * resize(self.info(semantics), grid(tokens))


def product(recorder: OperationRecorder, tokens: Value, semantics: Value, width: int) -> Value:
    local = recorder.unit(tokens, width, "local")
    info = recorder.unit(semantics, width, "info")
    return recorder.mul(local, recorder.resize(info, local.grid, ""), "")


class FinestHead(nn.Module):
    """Classifies the finest map alone."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classifier = convolution(width, classes)

    def forward(self, maps: list[Tensor]) -> Tensor:
        logits: Tensor = self.classifier(maps[0])
        return logits


def one_unit(embedding: int, pooled: Grid) -> OperationRecorder:
    recorder = OperationRecorder((1, embedding, *pooled))
    recorder.unit(recorder.inputs[0], embedding, "")
    return recorder


@pytest.fixture
def other_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another construction behind one kind of each table."""

    def enter(module: object, table: str, kind: object, entry: object) -> None:
        monkeypatch.setattr(module, table, MappingProxyType({**getattr(module, table), kind: entry}))

    enter(injection, "INJECTIONS", Injection.SUM, Product)
    enter(closed_forms, "INJECTIONS", Injection.SUM, product)
    enter(heads, "HEADS", Head.CONCAT, lambda design, _dropout: FinestHead(design.width, design.num_classes))
    enter(
        closed_forms,
        "HEADS",
        Head.CONCAT,
        lambda recorder, classes: recorder.conv(recorder.inputs[0], classes, "classifier", bias=True),
    )
    enter(extractor, "EXTRACTORS", Extractor.NONE, lambda design, _drop: ConvUnit(design.embedding, design.embedding))
    enter(parts, "EXTRACTORS", Extractor.NONE, lambda _design, embedding, pooled: [(one_unit, (embedding, pooled), ())])


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(
    "design",
    [
        replace(NANO, injection=Injection.SUM),
        replace(NANO, extractor=Extractor.NONE),
        replace(NANO, head=Head.CONCAT, injected=(32,)),
    ],
    ids=["injection", "extractor", "head"],
)
def test_a_new_construction_is_built_counted_and_inherited(design: Design) -> None:
    assert operations_are_those_of_the_built_network(design)
    state, report = inherit(TopFormer(design).state_dict(), design, design)
    assert set(state) == set(TopFormer(design).state_dict())
    assert "backbone.pyramid.stem.conv.weight" in report.inherited


@pytest.mark.usefixtures("other_kinds")
def test_another_construction_is_seen_by_the_walk() -> None:
    plain = Candidate(design=replace(NANO, injection=Injection.SUM), height=96, width=64)
    names = [step.name for step in operations(plain.design, 96, 64) if step.module == "backbone.injection.scales.0"]
    assert names == ["bilinear", "mul"]
