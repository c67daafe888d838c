"""What CONTRIBUTING names exists."""

import re

import pytest

from tests import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGES = ("search_space", "topformer", "experiments")
NAMED = sorted(set(re.findall(r"`([\w./-]+)`", TEXT)))
PATHS = [name for name in NAMED if "/" in name]
FILES = [name for name in NAMED if "/" not in name and name.endswith((".py", ".toml", ".csv", ".json"))]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", FILES)
def test_every_file_name_is_that_of_some_file(name: str) -> None:
    assert any(next((ROOT / folder).rglob(name), None) for folder in PACKAGES)


@pytest.mark.parametrize("table", sorted(set(re.findall(r"`([A-Z][A-Z_]+)`", TEXT))))
def test_every_table_is_defined_somewhere(table: str) -> None:
    sources = (path.read_text("ascii") for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))
    assert any(re.search(rf"^{table}\b.* = ", source, re.MULTILINE) for source in sources)
