"""What every space must hold, whoever adds an axis to it: subclass `SpaceConformance` and give it a fixture `space`."""

import random
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product

import pytest
import torch

from search_space.axes.axis import Axis, Invalidates
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost, operations
from search_space.cost.table import costs
from search_space.latency.calibration.devices import device
from search_space.operations.walk import walk
from search_space.spaces.enumeration import enumerated
from search_space.spaces.space import Space
from tests.search_space_tests.choosers import SeededChooser, TableChooser
from topformer.design import Design
from topformer.network import TopFormer, Trunk

WALKS = 150
"""Enough for every space to meet a transformer of eight blocks, which is one design in forty."""
PHONE = "snapdragon-865"


class SpaceConformance:
    """The properties of one space; each failure names its axis."""

    @pytest.fixture
    def designs(self, space: Space) -> list[Candidate]:
        """Designs at the end of random walks along the axes."""
        chooser = SeededChooser(5)
        return [space.suggest(chooser) for _ in range(WALKS)]

    def test_every_axis_is_asked_of_some_design(self, space: Space, designs: list[Candidate]) -> None:
        assert [axis.name for axis in space.axes if _where_it_applies(axis, designs) is None] == []

    def test_applying_is_pure_and_applying_twice_is_applying_once(self, space: Space, designs: list[Candidate]) -> None:
        for axis, before in _asked(space, designs):
            network = before.fingerprint
            for label, value in axis.choices.items():
                once = axis.apply(before, value)
                assert axis.apply(before, value) == once, (axis.name, label)
                assert axis.apply(once, value) == once, (axis.name, label)
            assert before.fingerprint == network, axis.name

    def test_an_axis_leaves_the_choices_of_all_others_where_what_they_read_stays(
        self, space: Space, designs: list[Candidate]
    ) -> None:
        for axis, before in _asked(space, designs):
            for value in _ends(axis):
                after = axis.apply(before, value)
                for other in space.axes:
                    if other is axis or other.reads(after) != other.reads(before) or not other.applies(before):
                        continue
                    assert other.label_of(after) == other.label_of(before), (axis.name, other.name)

    def test_reads_name_everything_that_an_axis_depends_on(self, space: Space) -> None:
        assert misread(space, seeds=range(3)) == []

    def test_invalidates_names_the_weights_that_no_longer_fit(self, space: Space, designs: list[Candidate]) -> None:
        for axis, before in _asked(space, designs):
            if axis.invalidates is Invalidates.FULL:
                continue
            start = "" if axis.invalidates is Invalidates.FREE else "pyramid."
            shapes = _trunk_shapes(before.design, start)
            after = axis.apply(before, _ends(axis)[-1])
            assert _trunk_shapes(after.design, start) == shapes, axis.name

    def test_every_axis_is_counted_as_listing_counts_it(self, space: Space) -> None:
        draw = random.Random(6)
        for axis in space.axes:
            wide = {other.name: _ends_labels(other) for other in draw.sample(space.axes, min(2, len(space.axes)))}
            narrow = narrowed(space, {**wide, axis.name: axis.labels[:4]})
            listed = [candidate.fingerprint for candidate in narrow]
            assert len(set(listed)) == len(listed) == narrow.count(), axis.name
            assert set(listed) == networks_by_hand(narrow), axis.name

    def test_samples_repeat_with_their_seed_and_never_within_it(self, space: Space) -> None:
        amount = min(12, space.count())
        drawn = space.sample(3, amount)
        assert space.sample(3, amount) == drawn
        assert len({candidate.fingerprint for candidate in drawn}) == amount

    def test_labels_are_read_back_from_the_designs_that_they_make(self, space: Space, designs: list[Candidate]) -> None:
        for candidate in designs[:40]:
            labels = space.labels_of(candidate)
            assert labels is not None
            assert space.candidate(labels) == candidate
        for axis in space.axes:
            for candidate in narrowed(space, {axis.name: axis.labels}):
                assert candidate in space, axis.name

    def test_costs_in_closed_form_are_those_of_the_built_network(self, space: Space) -> None:
        for candidate in space.sample(8, min(3, space.count())):
            design, size = candidate.design, (candidate.height, candidate.width)
            assert operations(design, *size) == walk(TopFormer(design), *size)

    def test_many_at_once_cost_what_each_costs_alone(self, space: Space) -> None:
        drawn, phone = space.sample(9, min(20, space.count())), device(PHONE)
        together, latencies = costs(drawn), phone.estimate_many(drawn)
        for index, candidate in enumerate(drawn):
            assert together.macs[index] == cost(candidate).macs
            assert latencies.milliseconds[index] == pytest.approx(phone.estimate(candidate).milliseconds)

    def test_every_axis_is_enumerated_with_its_cost(self, space: Space) -> None:
        phone = device(PHONE)
        for axis in space.axes:
            narrow = narrowed(space, {axis.name: _ends_labels(axis)})
            listed, whole = list(narrow), enumerated(narrow, phone)
            assert [whole.candidate(index) for index in range(len(whole))] == listed, axis.name
            assert whole.latency.milliseconds == pytest.approx(phone.estimate_many(listed).milliseconds), axis.name
            assert whole.parameters.tolist() == costs(listed).parameters.tolist(), axis.name


def narrowed(space: Space, wide: Mapping[str, Iterable[str]]) -> Space:
    """The space with the base's label alone on every axis that is not named."""
    own = space.labels_of(space.base) or {}
    return space.restricted({axis.name: wide.get(axis.name, own.get(axis.name, axis.labels[0])) for axis in space.axes})


def networks_by_hand(space: Space) -> set[str]:
    """Fingerprints of all combinations of all labels, without any diagram."""
    names = [axis.name for axis in space.axes]
    combinations = product(*(axis.labels for axis in space.axes))
    return {space.suggest(TableChooser(dict(zip(names, labels, strict=True)))).fingerprint for labels in combinations}


def misread(space: Space, seeds: Iterable[int]) -> list[tuple[str, str]]:
    """Pairs of an axis and an earlier one on which it depends though what it reads does not say so.

    A choice of the earlier axis that leaves every fact that is still to be read must leave what the axis does: whether
    it applies, which of its labels are one network, and the facts that are read after it.
    """
    facts = _Facts(space)
    pairs: dict[tuple[str, str], None] = {}
    for seed in seeds:
        draw = random.Random(seed)
        candidate = space.base
        for level, axis in enumerate(space.axes):
            for earlier in space.axes[:level]:
                if not earlier.applies(candidate):
                    continue
                other = earlier.apply(candidate, earlier.choices[draw.choice(earlier.labels)])
                same = facts.at(level, other) == facts.at(level, candidate)
                if same and facts.effects(level, other) != facts.effects(level, candidate):
                    pairs[axis.name, earlier.name] = None
            if axis.applies(candidate):
                candidate = axis.apply(candidate, axis.choices[draw.choice(axis.labels)])
    return list(pairs)


class _Facts:
    """What the axes of a space, from some level on, read of a candidate, and do to it."""

    def __init__(self, space: Space) -> None:
        self._axes = space.axes
        self._rules = [rule.reads for rule in space.rules]

    def at(self, level: int, candidate: Candidate) -> Hashable:
        reads = dict.fromkeys([*(axis.reads for axis in self._axes[level:]), *self._rules])
        return tuple(read(candidate) for read in reads)

    def effects(self, level: int, candidate: Candidate) -> Hashable:
        axis = self._axes[level]
        if not axis.applies(candidate):
            return None
        children = [axis.apply(candidate, value) for value in axis.choices.values()]
        networks = [one.canonical() for one in children]
        return tuple((networks.index(n), self.at(level + 1, one)) for n, one in zip(networks, children, strict=True))


def _where_it_applies(axis: Axis, designs: Sequence[Candidate]) -> Candidate | None:
    return next((candidate for candidate in designs if axis.applies(candidate)), None)


def _asked(space: Space, designs: Sequence[Candidate]) -> list[tuple[Axis, Candidate]]:
    """Every axis with a design of which it is asked."""
    pairs = ((axis, _where_it_applies(axis, designs)) for axis in space.axes)
    return [(axis, before) for axis, before in pairs if before is not None]


def _ends_labels(axis: Axis) -> list[str]:
    return list(dict.fromkeys((axis.labels[0], axis.labels[-1])))


def _ends(axis: Axis) -> list[object]:
    return [axis.choices[label] for label in _ends_labels(axis)]


@lru_cache(maxsize=256)
def _trunk_shapes(design: Design, start: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that a checkpoint of pretraining holds, below a path."""
    with torch.device("meta"):
        trunk = Trunk(design)
    return {name: tuple(value.shape) for name, value in trunk.state_dict().items() if name.startswith(start)}
