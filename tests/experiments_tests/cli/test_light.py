"""Help without the weight of what is helped with, and the exact set of options."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import COMMANDS, parser
from experiments.cli.parsing import Parser

HEAVY = {"numpy", "torch", "pandas", "scipy", "matplotlib", "optuna", "rich", "mmengine", "mmseg", "PIL", "psutil"}
OPTIONS = Path(__file__).with_name("options.txt")


def loaded(*args: str) -> set[str]:
    """The modules that a process holds at the end of a command line that only shows help."""
    program = (
        "import contextlib, io, sys\n"
        "from experiments.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main({list(args)!r})\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_list_of_commands_loads_no_command() -> None:
    ours = {name for name in loaded("--help") if name.partition(".")[0] in ("experiments", "search_space", "topformer")}
    assert ours == {
        "experiments",
        "experiments.cli",
        "experiments.cli.parsing",
        "topformer",
        "topformer.errors",
        "topformer.kinds",
    }


@pytest.mark.parametrize("args", [(), ("--help",), ("--version",), *((command, "--help") for command in COMMANDS)])
def test_help_loads_no_heavy_package(args: tuple[str, ...]) -> None:
    assert not loaded(*args) & HEAVY


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
