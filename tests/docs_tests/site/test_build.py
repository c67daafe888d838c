"""The site holds every page, in order, and asks no other host for anything."""

import re
from pathlib import Path

import pytest

from docs.make.site.build import build, stage
from docs.make.site.navigation import pages
from docs.make.site.pages import place
from docs.make.site.python import python_pages
from tests import ROOT
from topformer.files import read_toml


def test_the_pages_are_gathered_with_what_they_link(tmp_path: Path) -> None:
    settings = read_toml(stage(tmp_path))["project"]
    assert settings["theme"]["font"] is False
    named = [
        path for section in settings["nav"] for entries in section.values() for one in entries for path in one.values()
    ]
    assert [path for path in named if not (tmp_path / "pages" / path).is_file()] == []
    assert set(map(place, pages())) <= set(named)
    assert (tmp_path / "pages" / "files/experiments/studies/nano-tokenworld.toml.md").is_file()
    assert (tmp_path / "pages" / "figures/nano-tokenworld.png").is_file()


def test_the_python_pages_name_every_module_that_offers_something() -> None:
    made = python_pages(ROOT)
    assert "\n::: topformer.design\n" in made["python/topformer.md"]
    assert "\n::: search_space.latency.model\n" in made["python/search_space.latency.md"]
    assert "python/experiments.cli.md" not in made


@pytest.mark.slow
def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    build(tmp_path / "site")
    texts = {path: path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.html")}
    assert len(texts) > len(pages())
    loaded = re.compile(
        r'<(?:script|img|iframe|source)[^>]* src="https?:|<link rel="(?:stylesheet|preconnect|preload)[^>]*https?:'
    )
    assert [str(path) for path, text in texts.items() if loaded.search(text)] == []
