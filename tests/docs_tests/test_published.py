"""The page of the model of published accuracies is what the model gives, and the page for readers quotes it."""

from docs.make.published import PAGE, page
from tests import ROOT


def test_the_page_is_what_the_model_gives() -> None:
    assert PAGE.read_text("ascii") == page()


def test_the_page_for_readers_quotes_its_errors() -> None:
    quoted = [line for line in PAGE.read_text("ascii").splitlines() if line.startswith("- ")]
    text = (ROOT / "docs" / "published.md").read_text("ascii")
    assert len(quoted) == 3
    assert [line for line in quoted if line not in text] == []
