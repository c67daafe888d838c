"""Links of the repository become those of the site, and one that leads nowhere is named with its line."""

from pathlib import Path

import pytest

from docs.make.site.navigation import pages
from docs.make.site.pages import page, place, source_page, title
from tests import ROOT
from topformer.errors import InputError


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("README.md", "index.md"),
        ("CONTRIBUTING.md", "contributing.md"),
        ("docs/latency.md", "latency.md"),
        ("docs/devices/README.md", "devices/index.md"),
        ("docs/figures/a.png", "figures/a.png"),
        ("experiments/studies/nano-tokenworld.toml", "files/experiments/studies/nano-tokenworld.toml.md"),
        ("docs/examples/own-data.toml", "files/docs/examples/own-data.toml.md"),
    ],
)
def test_where_a_file_stands_in_the_site(path: str, there: str) -> None:
    assert place(path) == there


def test_no_two_pages_stand_in_one_place() -> None:
    assert len({place(path) for path in pages()}) == len(pages())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "figures").mkdir(parents=True)
    (tmp_path / "docs" / "figures" / "b.png").write_bytes(b"")
    (tmp_path / "README.md").write_text("# A `b` c\n\n## Part\n")
    (tmp_path / "study.toml").write_text("name = 'x'\n")
    return tmp_path


def test_links_to_pages_pictures_and_files_lead_to_them(repository: Path) -> None:
    text = (
        "# T\n[up](../README.md#part) ![b](figures/b.png) [s](../study.toml) [w](https://example.org/x) [h](#t)\n"
        "```\n[code](nowhere.md)\n```\n"
    )
    (repository / "docs" / "a.md").write_text(text)
    found, linked = page(repository, "docs/a.md")
    assert found == text.replace("../README.md", "index.md").replace("../study.toml", "files/study.toml.md")
    assert linked == ["README.md", "docs/figures/b.png", "study.toml"]


@pytest.mark.parametrize("target", ["b.md", "../../etc/passwd", "../docs/c.md#x"])
def test_a_link_that_leads_nowhere_is_named_with_its_line(repository: Path, target: str) -> None:
    (repository / "docs" / "a.md").write_text(f"# T\n\nSee [there]({target}).\n")
    with pytest.raises(InputError, match=f"docs/a.md, line 3: the link to {target} leads nowhere"):
        page(repository, "docs/a.md")


def test_a_file_is_shown_whole_and_a_folder_listed(repository: Path) -> None:
    shown, _ = source_page(repository, "study.toml")
    assert "```toml\nname = 'x'\n```" in shown.replace("``````", "```")
    listed, linked = source_page(ROOT, "experiments/tables")
    assert "- [table-3.toml](" in listed
    assert "experiments/tables/table-3.toml" in linked


def test_the_title_of_a_page_is_its_first_heading(repository: Path) -> None:
    assert title(repository, "README.md") == "A b c"
    with pytest.raises(InputError, match=r"study\.toml must begin with its title"):
        title(repository, "study.toml")


@pytest.mark.parametrize("path", pages())
def test_every_link_of_every_page_leads_somewhere(path: str) -> None:
    assert page(ROOT, path)[0].startswith("# ")
