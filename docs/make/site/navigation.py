"""The order of the site: sections and pages, read from docs/navigation.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from topformer.errors import InputError
from topformer.files import read_toml
from topformer.kinds import Names, Text
from topformer.schema import Sections, key, read

ROOT = Path(__file__).parents[3]
NAVIGATION = "docs/navigation.toml"
FRONT, OTHERS = "README.md", ("CONTRIBUTING.md", "CHANGELOG.md")
"""Pages that stand at the root of the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionOfPages:
    """One section."""

    title: str = field(metadata=key(Text(), "Its heading."))
    pages: tuple[str, ...] = field(metadata=key(Names(), "Paths from the root of the repository; * stands for many."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """All sections in order."""

    sections: tuple[SectionOfPages, ...] = field(metadata=key(Sections(SectionOfPages, "section"), "The sections."))


def navigation(root: Path = ROOT) -> dict[str, list[str]]:
    """Title of each section to its pages, as paths from the root, each page once.

    Raises:
        InputError: The file cannot be used, names a page that is not there, names one twice, or leaves one out.
    """
    try:
        found = read(Navigation, read_toml(root / NAVIGATION), whole="the navigation", error=InputError)
    except InputError as error:
        raise InputError(f"{NAVIGATION}: {error}") from None
    listed = {
        section.title: [path for name in section.pages for path in _paths(root, name)] for section in found.sections
    }
    _check(root, listed)
    return listed


def pages(root: Path = ROOT) -> list[str]:
    """Every page of the repository, as paths from its root."""
    below = sorted(path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md"))
    return [FRONT, *OTHERS, *below]


def _paths(root: Path, name: str) -> list[str]:
    found = sorted(path.relative_to(root).as_posix() for path in root.glob(name))
    if not found:
        raise InputError(f"{NAVIGATION}: there is no page {name}")
    return sorted(found, key=_place)


def _place(path: str) -> tuple[bool, str, int, str]:
    """The first page of a folder first, and numbered ones by their number."""
    kind, _, number = Path(path).stem.rpartition("-")
    return (
        Path(path).name != FRONT,
        kind if number.isdecimal() else path,
        int(number) if number.isdecimal() else 0,
        path,
    )


def _check(root: Path, listed: Mapping[str, list[str]]) -> None:
    named = [path for paths in listed.values() for path in paths]
    if twice := sorted({path for path in named if named.count(path) > 1}):
        raise InputError(f"{NAVIGATION} names these pages more than once: {', '.join(twice)}")
    if absent := [path for path in pages(root) if path not in named]:
        raise InputError(f"{NAVIGATION} leaves out {', '.join(absent)}; add each to the section where a reader looks")
