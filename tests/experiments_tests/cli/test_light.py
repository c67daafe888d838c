"""Help without the weight of what is helped with, and the exact set of options."""

import subprocess
import sys
from pathlib import Path

from experiments.cli import COMMANDS, parser
from experiments.cli.parsing import Parser

HEAVY = {"numpy", "torch", "pandas", "scipy", "matplotlib", "optuna", "rich", "mmengine", "mmseg", "PIL", "psutil"}
OPTIONS = Path(__file__).with_name("options.txt")


def loaded(*commands: tuple[str, ...]) -> list[set[str]]:
    """The modules that one process holds after each of some command lines that only show help."""
    program = (
        "import contextlib, io, sys\n"
        "from experiments.cli import main\n"
        f"for command in {commands!r}:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main(list(command))\n"
        "    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_the_list_of_commands_loads_no_command() -> None:
    (found,) = loaded(("--help",))
    ours = {name for name in found if name.partition(".")[0] in ("experiments", "search_space", "topformer")}
    assert ours == {
        "experiments",
        "experiments.cli",
        "experiments.cli.parsing",
        "topformer",
        "topformer.errors",
        "topformer.kinds",
    }


def test_help_loads_no_heavy_package() -> None:
    commands = [(), ("--help",), ("--version",), *((command, "--help") for command in COMMANDS)]
    # The first that loads one is the culprit: what is loaded stays.
    heavy = {command: names & HEAVY for command, names in zip(commands, loaded(*commands), strict=True)}
    assert {command: names for command, names in heavy.items() if names} == {}


def lines(found: Parser, name: str = "") -> list[str]:
    """The commands below a parser, each with what it takes: places, then options without their short forms."""
    below = found.commands()
    if below:
        return [line for word, sub in below.items() for line in lines(sub, f"{name} {word}".strip())]
    options = sorted(option for option in found.options() if option.startswith("--") and option != "--help")
    return ["  ".join([name, *found.places(), *options])]


def test_no_option_comes_or_goes_unnoticed() -> None:
    top = parser()
    assert isinstance(top, Parser)
    assert lines(top) == OPTIONS.read_text().splitlines()
