"""Pages of the Python API, made of the docstrings when the site is built."""

import ast
from pathlib import Path

PACKAGES = ("topformer", "search_space", "analysis", "experiments")
COMMANDS = ("experiments", "cli")
"""The room of the command line, which has a reference of its own."""


def python_pages(root: Path) -> dict[str, str]:
    """Path of each page to its text: a page for each package and each room of one, with all that they offer."""
    rooms: dict[tuple[str, ...], list[str]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py"), key=lambda path: (len(path.parts), path)):
            inside = path.relative_to(root)
            room = inside.parent.parts[:2]
            if room != COMMANDS and _offers(path):
                rooms.setdefault(room, []).append(".".join(inside.with_suffix("").parts))
    return {f"python/{'.'.join(room)}.md": _page(".".join(room), modules) for room, modules in sorted(rooms.items())}


def _page(room: str, modules: list[str]) -> str:
    return f"# {room}\n" + "".join(f"\n::: {name}\n" for name in modules)


def _offers(path: Path) -> bool:
    """Whether a module defines something public."""
    tree = ast.parse(path.read_text("ascii"))
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return path.name != "__init__.py" and not all(name.startswith("_") for name in names)
