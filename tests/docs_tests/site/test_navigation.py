"""Every page of the repository stands in one section of the site."""

from pathlib import Path

import pytest

from docs.make.site.navigation import navigation, pages
from topformer.errors import InputError


def test_every_page_stands_in_one_section() -> None:
    # Raises, naming the page, where one is left out.
    listed = [path for paths in navigation().values() for path in paths]
    assert sorted(listed) == sorted(pages())
    assert listed[0] == "README.md"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/a.md", "docs/table-2.md", "docs/table-10.md"):
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def write(repository: Path, *pages: str) -> None:
    text = f"[[sections]]\ntitle = 'All'\npages = {list(pages)}\n"
    (repository / "docs" / "navigation.toml").write_text(text)


def test_a_star_stands_for_many_pages_in_the_order_of_their_numbers(repository: Path) -> None:
    write(repository, "README.md", "C*.md", "docs/table-*.md", "docs/a.md")
    order = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/table-2.md", "docs/table-10.md", "docs/a.md"]
    assert navigation(repository) == {"All": order}


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (["README.md", "C*.md", "docs/table-*.md"], "leaves out docs/a.md; add each to the section"),
        (["README.md", "C*.md", "docs/*.md", "docs/a.md"], "more than once: docs/a.md"),
        (["README.md", "C*.md", "docs/*.md", "docs/b.md"], "there is no page docs/b.md"),
    ],
)
def test_a_page_that_is_left_out_or_named_twice_or_absent_is_named(
    repository: Path, pages: list[str], words: str
) -> None:
    write(repository, *pages)
    with pytest.raises(InputError, match=words.replace("*", ".")):
        navigation(repository)


def test_wrong_keys_are_named(repository: Path) -> None:
    (repository / "docs" / "navigation.toml").write_text("[[section]]\ntitle = 'x'\n")
    with pytest.raises(
        InputError, match=r"docs/navigation\.toml: unknown key of the navigation 'section'; did you mean"
    ):
        navigation(repository)
