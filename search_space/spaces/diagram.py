"""A space as a decision diagram: exact counting, listing without repeats, and the design of a given number.

Two paths through the axes that leave the same facts for the axes and rules still to come can be continued in the
same ways; they share one node. So a space of 10^40 designs has some thousand nodes, and counting it is a sum over
them. Labels that give the same network, such as two ratios that round to one width, are one edge.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from search_space.axes.axis import Axis
from search_space.candidate import Candidate
from search_space.spaces.validity import Rule, broken_rules


class Edge(NamedTuple):
    """One choice that makes a difference.

    Attributes:
        axis: What is chosen.
        choice: Place of the label among those of the axis.
        value: The value behind the label.
        target: Where the choice leads.
    """

    axis: Axis
    choice: int
    value: Any
    target: "Node"

    def apply(self, candidate: Candidate) -> Candidate:
        """The candidate after the choice."""
        return self.axis.apply(candidate, self.value)


class Node(NamedTuple):
    """All candidates that can be continued in the same ways.

    Attributes:
        total: Number of distinct designs that lie beyond; 0 or 1 where there are no edges.
        edges: The choices, in the order of the axes and their labels; those that lead nowhere are left out.
    """

    total: int
    edges: tuple[Edge, ...] = ()


def diagram(base: Candidate, axes: Sequence[Axis], rules: Sequence[Rule]) -> Node:
    """The diagram of a space; its `total` is the number of distinct valid designs."""
    return _Builder(axes, rules).node(0, base)


class _Builder:
    """Builds every node once."""

    def __init__(self, axes: Sequence[Axis], rules: Sequence[Rule]) -> None:
        self._axes = axes
        self._rules = rules
        # What the axes from `level` on, and the rules, will read: each function once.
        of_rules = [rule.reads for rule in rules]
        self._reads = [
            tuple(dict.fromkeys([axis.reads for axis in axes[level:]] + of_rules)) for level in range(len(axes) + 1)
        ]
        self._nodes: dict[Hashable, Node] = {}

    def node(self, level: int, candidate: Candidate) -> Node:
        """The node of the candidate that the axes before `level` have made."""
        # The facts still to be read are all that can tell two candidates apart from here on.
        key = (level, tuple(read(candidate) for read in self._reads[level]))
        if key not in self._nodes:
            self._nodes[key] = self._build(level, candidate)
        return self._nodes[key]

    def _build(self, level: int, candidate: Candidate) -> Node:
        if level == len(self._axes):
            return Node(total=0 if broken_rules(candidate, self._rules) else 1)
        axis = self._axes[level]
        if not axis.applies(candidate):
            return self.node(level + 1, candidate)
        # Edges to nodes without any design are left out, so that numbering never leads into an end.
        edges = tuple(
            Edge(axis, choice, value, target)
            for choice, value, child in _distinct(axis, candidate)
            if (target := self.node(level + 1, child)).total
        )
        return Node(total=sum(edge.target.total for edge in edges), edges=edges)


def _distinct(axis: Axis, candidate: Candidate) -> Iterator[tuple[int, Any, Candidate]]:
    """The first choice for each network that the axis can make of the candidate, its value, and what it makes."""
    seen = set()
    for choice, value in enumerate(axis.choices.values()):
        child = axis.apply(candidate, value)
        network = child.canonical()
        if network not in seen:
            seen.add(network)
            yield choice, value, child


def listed(root: Node, base: Candidate) -> Iterator[Candidate]:
    """Every distinct design once, in canonical form, in the order of the labels; lazily."""
    waiting: list[tuple[Node, Candidate, Edge | None]] = [(root, base, None)]
    while waiting:
        node, candidate, edge = waiting.pop()
        if edge is not None:
            candidate = edge.apply(candidate)
        if node.edges:
            waiting.extend((edge.target, candidate, edge) for edge in reversed(node.edges))
        elif node.total:
            yield candidate.canonical()


def numbered(root: Node, base: Candidate, indices: Iterable[int]) -> Iterator[Candidate]:
    """The designs that `listed` gives at these places, for ascending indices below `root.total`."""
    # Ascending indices share the beginnings of their paths; candidates along the shared part are not made again.
    path: list[tuple[Edge, Candidate]] = []
    for index in indices:
        edges = _path(root, index)
        shared = 0
        while shared < min(len(path), len(edges)) and path[shared][0] is edges[shared]:
            shared += 1
        del path[shared:]
        for edge in edges[shared:]:
            candidate = path[-1][1] if path else base
            path.append((edge, edge.apply(candidate)))
        yield (path[-1][1] if path else base).canonical()


def _path(root: Node, index: int) -> list[Edge]:
    """The choices that lead to the design of that number: every edge spans as many numbers as lie beyond it."""
    node, edges = root, []
    while node.edges:
        for edge in node.edges:
            if index < edge.target.total:
                edges.append(edge)
                node = edge.target
                break
            index -= edge.target.total
    return edges
