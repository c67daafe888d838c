"""Every command and program of the pages runs: whole, scaled down, or with a reason why it cannot be run here."""

import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from experiments.cli import COMMANDS, main, parser
from tests import ROOT
from tests.docs_tests.desk import lay, named
from tests.docs_tests.snippets import PROGRAMS_NOT_RUN, RULES, Command, Program, examples, first_places, pages, rule

# What mmsegmentation and mmdetection import is deprecated by what is installed.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def run_page(page: str, folder: Path, *, slow: bool) -> None:
    """Run what a page shows, in its order, in a folder of its own, where the records of the pages are."""
    (folder / "docs").mkdir()
    (folder / "docs" / "ablations").symlink_to(ROOT / "docs" / "ablations")
    namespace: dict[str, Any] = {"module": nn.Conv2d(3, 8, 3)}
    for example in examples(ROOT / page):
        where = f"{page}, line {example.line}"
        if isinstance(example.parsed, Program):
            run_program(example.parsed, where, folder, namespace)
        elif example.parsed.words[0] == "topformer" and first_places()[example.parsed.text] == (page, example.line):
            run_command(example.parsed, where, folder, slow=slow)


def run_program(program: Program, where: str, folder: Path, namespace: dict[str, Any]) -> None:
    lay(folder, program.code)
    if not any(text in program.code for text in PROGRAMS_NOT_RUN):
        exec(compile(program.code, where, "exec"), namespace)


def run_command(command: Command, where: str, folder: Path, *, slow: bool) -> None:
    how = rule(command)
    words = list(takewhile(lambda word: word not in ("&&", "|", ">"), command.words[1:]))
    if words[0] in COMMANDS:
        parser([words[0]]).parse_args(words)
    if not how.runs(slow=slow):
        return
    lay(folder, f"{command.text} {how.add}")
    try:
        status = main([*named(folder, words), *shlex.split(how.add)])
    except SystemExit as stop:
        status = int(stop.code or 0)
    # What it may need is made in desk.py, and how it is scaled down stands in snippets.py.
    assert status == 0, f"{where}: {command.text} {how.add}"


@pytest.mark.parametrize("page", pages())
def test_what_a_page_shows_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_what_takes_longer_runs_too(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [example.parsed for example in examples(ROOT / page)]
    if not any(isinstance(one, Command) and rule(one).slow for one in shown):
        pytest.skip("everything of it runs with the other tests")
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, slow=True)


def test_every_rule_is_needed_and_every_command_is_shown() -> None:
    shown = [one.parsed for page in pages() for one in examples(ROOT / page) if isinstance(one.parsed, Command)]
    used = {rule(command).fits for command in shown}
    assert used - {""} == {one.fits for one in RULES}
    assert {command.words[1] for command in shown if command.words[0] == "topformer"} >= set(COMMANDS)


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = [one.parsed for page in pages() for one in examples(ROOT / page) if isinstance(one.parsed, Command)]
    named = {command.words[1] for command in shown if command.words[0] == "make"}
    assert {"sweep", "test"} <= named <= targets
