"""The reference pages are those of the parser and of the definitions, and the examples they name can be used."""

import json
import re
from pathlib import Path

import pytest

from docs.make.reference.commands import commands_page
from docs.make.reference.files import accepted, files_page
from experiments.ablations.definition import load_table
from experiments.cli import COMMANDS
from experiments.cli.schema import FILES
from experiments.search.definition import from_mapping
from tests import ROOT
from topformer.files import read_toml
from topformer.kinds import Choice, Entries, Integer, Names
from topformer.schema import table_problems

REFERENCE, EXAMPLES = ROOT / "docs" / "reference", ROOT / "docs" / "examples"
# What mmsegmentation imports is deprecated by what is installed.
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


def test_the_page_of_commands_is_that_of_the_parser() -> None:
    page = commands_page()
    assert (REFERENCE / "commands.md").read_text("utf-8") == page, "run python -m docs.make.reference"
    assert set(re.findall(r"^## (.*)$", page, re.MULTILINE)) == set(COMMANDS)


@quiet
def test_the_page_of_files_is_that_of_the_definitions() -> None:
    page = files_page()
    assert (REFERENCE / "files.md").read_text("utf-8") == page, "run python -m docs.make.reference"
    for name, entry in FILES.items():
        section = page.partition(f"## {name.capitalize()}\n")[2]
        for problem in table_problems(entry.load(), {}):
            missing = problem.removesuffix(" is missing")
            assert re.search(rf"\\| `{missing}` \\|.*\\| must be given \\|", section)


def test_what_is_accepted_is_said_in_the_words_of_the_reader() -> None:
    assert accepted(Integer(3)) == "an integer of at least 3"
    assert accepted(Choice(["a", "b"])) == "`a`, `b`"
    assert accepted(Names(("a",))) == "a list of `a`"
    assert accepted(Entries(Integer(3))) == "a table; each value an integer of at least 3"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_can_be_used(path: Path) -> None:
    if path.name == "table.toml":
        assert len(load_table(path).rows) == 3
        return
    study = from_mapping(read_toml(path))
    assert study.space.build().count() > study.trials


def test_the_example_of_a_data_set_can_be_used() -> None:
    assert table_problems(FILES["dataset"].load(), json.loads((EXAMPLES / "dataset.json").read_text())) == []
