"""The reference of all commands, made from the parser: what `--help` says, as a page."""

import inspect
from collections.abc import Iterator
from importlib import import_module

from analysis.reports.text_table import TextTable, markdown
from experiments.cli import COMMANDS, parser
from experiments.cli.parsing import Parser

HEAD = """# Every command

Written by `python -m docs.make.reference`; do not edit. `topformer COMMAND --help` says the same in a terminal.

Exit status: 0 done, 1 something failed, 2 the input cannot be used, 130 interrupted. An option may be shortened as far
as it stays clear; one that is not known is answered with the nearest.

"""


def commands_page() -> str:
    """The page."""
    top = parser()
    assert isinstance(top, Parser)
    contents = "".join(f"- [{name}](#{name}): {summary}\n" for name, summary in COMMANDS.items())
    return HEAD + contents + "".join(part for name, sub in top.commands().items() for part in _command(name, sub, 2))


def _command(name: str, command: Parser, level: int) -> Iterator[str]:
    """The section of one command, then those of the commands below it."""
    yield f"\n{'#' * level} {name}\n\n"
    yield from (f"{text}\n\n" for text in (command.description, _more(name)) if text)
    below = command.commands()
    # That of a command with others below it is the example of one of them.
    if command.epilog and not below:
        yield f"    {command.epilog.removeprefix('example: ')}\n\n"
    if arguments := command.explained():
        yield markdown(TextTable.of("", ("argument", "meaning"), arguments, left=["meaning"]))
    for inner, sub in below.items():
        yield from _command(f"{name} {inner}", sub, level + 1)


def _more(name: str) -> str:
    """What the module of a command says beyond its first line."""
    if name not in COMMANDS:
        return ""
    text = inspect.getdoc(import_module(f"experiments.cli.{name.replace('-', '_')}")) or ""
    return text.partition("\n\n")[2]
