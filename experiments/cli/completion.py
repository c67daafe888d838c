"""Completion in a shell: commands, options, names of designs, devices and spaces, and files."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.cli.parsing import place
from topformer.errors import InputError, unknown_name
from topformer.optional_packages import command, missing

if TYPE_CHECKING:
    from experiments.cli.parsing import Parser

EXTRA = "completion"


def script(top: "Parser", shell: str) -> str:
    """What a shell reads to complete the command line.

    Args:
        top: The whole parser; its choices are extended, so that it is of no other use afterwards.
        shell: Such as `bash`.

    Raises:
        InputError: shtab, which writes it, is not installed, or does not know the shell.
    """
    if missing(EXTRA):
        raise InputError(f"--print-completion needs shtab: {command(EXTRA)}")
    import shtab

    if shell not in shtab.SUPPORTED_SHELLS:
        raise InputError(unknown_name("shell", shell, shtab.SUPPORTED_SHELLS))
    for parser in _all(top):
        for action in parser.arguments():
            if action.dest in NAMES and not action.choices:
                action.choices = sorted(NAMES[action.dest]())
            elif action.type is place or action.dest in FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(top, shell))


def _all(parser: "Parser") -> "Iterable[Parser]":
    yield parser
    for below in parser.commands().values():
        yield from _all(below)


def _presets() -> Iterable[str]:
    from topformer.presets import presets

    return presets()


def _devices() -> Iterable[str]:
    from search_space.latency.devices import devices

    return devices()


def _spaces() -> Iterable[str]:
    from search_space.spaces.space import spaces

    return spaces()


def _tables() -> Iterable[str]:
    from experiments.ablations.definition import table_names

    return ["list", "all", *table_names()]


NAMES: Mapping[str, Callable[[], Iterable[str]]] = MappingProxyType(
    {
        **dict.fromkeys(("design", "designs", "base", "from_design", "reference", "leave_one_out"), _presets),
        **dict.fromkeys(("device", "prior", "first", "second"), _devices),
        "space": _spaces,
        "tables": _tables,
    }
)
"""Argument to the names that it takes beside files."""
FILES = ("study", "data")
"""Arguments that take a file or folder and are not declared as a path, because they take a name too."""
