"""The shape of the sources: tests stand where the code stands and touch only what it offers; imports have no circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests import ROOT

PACKAGES = ("topformer", "search_space", "analysis", "experiments")
CODE = {"docs_tests": "docs/make"} | {f"{name}_tests": name for name in PACKAGES}
"""Folder of tests to the folder of the code that it tests."""

OFFERED = {"_asdict", "_fields", "_make", "_replace"}
"""Public members of every named tuple, which have an underscore so that no field can have their name."""


def folders(root: Path) -> set[str]:
    """Folders of modules below `root`, as paths from it."""
    return {path.parent.relative_to(root).as_posix() for path in root.rglob("*.py") if path.name != "__init__.py"}


@pytest.mark.parametrize("tests", CODE)
def test_every_folder_of_code_has_its_folder_of_tests_and_the_reverse(tests: str) -> None:
    assert folders(ROOT / "tests" / tests) - {"."} == folders(ROOT / CODE[tests]) - {"."}


def private_names(tree: ast.AST) -> Iterator[str]:
    """Names with one leading underscore that a module defines: of modules, classes, instances."""
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names = [name]
        yield from (name for name in names if is_private(name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in OFFERED | {"_"}


def touched(tree: ast.AST) -> Iterator[str]:
    """Names with one leading underscore that a module imports, reads of an object, or names in a string to patch."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in (*PACKAGES, "docs"):
                yield from (alias.name for alias in names if is_private(alias.name))
            case ast.Attribute(attr=name) if is_private(name):
                yield name
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr") | ast.Name(id="getattr" | "setattr")):
                texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                yield from (part for text in texts for part in text.split(".") if is_private(part))


def test_no_test_touches_a_private_member_of_the_product() -> None:
    sources = [path for code in CODE.values() for path in (ROOT / code).rglob("*.py")]
    product = {name for path in sources for name in private_names(ast.parse(path.read_text("ascii")))}
    touching = {}
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text("ascii"))
        # What a test's own stand-ins define is theirs.
        if names := set(touched(tree)) & product - set(private_names(tree)):
            touching[path.relative_to(ROOT / "tests").as_posix()] = sorted(names)
    assert touching == {}


def test_a_touched_private_member_is_found() -> None:
    code = "from topformer.codec import _hidden\nobj._inner\nmonkeypatch.setattr('a._b.c', 1)\nrow._replace(x=1)"
    assert list(touched(ast.parse(code))) == ["_hidden", "_inner", "_b"]
    code = "class _A:\n    def _f(self):\n        self._x = 1\n_Y = 2"
    assert sorted(private_names(ast.parse(code))) == ["_A", "_Y", "_f", "_x"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    # The contract of siblings sees no circle between a package's own __init__ and what stands in the package.
    graph = grimp.build_graph(*PACKAGES)
    below = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    assert list(circles(below)) == []


def circles(below: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Groups of modules of which each reaches each other."""
    reached: dict[str, set[str]] = {}
    for start in below:
        reached[start], waiting = set(), [start]
        while waiting:
            fresh = below[waiting.pop()] - reached[start]
            reached[start] |= fresh
            waiting += fresh
    groups = {frozenset(other for other in reached[start] if start in reached[other]) for start in below}
    yield from (tuple(sorted(group)) for group in groups if len(group) > 1)


def test_a_circle_is_found() -> None:
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}})) == [("b", "c")]
