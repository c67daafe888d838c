"""The parser of every command: a mistake is one line with the nearest name, and help shows real defaults only."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from topformer.errors import nearest, printable, shown, unknown_name
from topformer.kinds import Between, Choice, Integer, Kind, Number, number_in

_NEGATIVE = re.compile(r"-\d*\.?\d+")


class Form(argparse.ArgumentDefaultsHelpFormatter):
    """Help that shows a default where there is one and the text does not say it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = action.help is not None and "default" in action.help
        # By identity: 0 is a default to show, and equal to False.
        empty = action.default is None or action.default is False or action.default == []
        return action.help if said or empty else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser that complains as the commands do: one line on stderr, exit status 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"formatter_class": Form, **kwargs})

    def error(self, message: str) -> NoReturn:
        """End the process with one line."""
        print(f"topformer: {printable(message)}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def options(self) -> Mapping[str, argparse.Action]:
        """Every spelling of every option."""
        return {name: action for action in self._actions for name in action.option_strings}

    def commands(self) -> Mapping[str, "Parser"]:
        """The parsers of the commands below this one."""
        choices = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return choices[0] if choices else {}

    def places(self) -> list[str]:
        """What is named by its place, in order."""
        plain = [action for action in self._actions if not action.option_strings]
        return [str(action.metavar or action.dest).upper() for action in plain]

    def arguments(self) -> list[argparse.Action]:
        """Every argument but the commands below this one, in order."""
        return [action for action in self._actions if not isinstance(action, argparse._SubParsersAction)]

    def explained(self) -> list[tuple[str, str]]:
        """Every argument but `--help`, in order: how it is written, and its help."""
        form = Form(self.prog)
        shown = [action for action in self.arguments() if action.dest != "help"]
        return [(_spelling(action), form._expand_help(action)) for action in shown]

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As in argparse, but what is not known ends the process here, where the nearest option can be named."""
        given = sys.argv[1:] if args is None else list(args)
        # Before argparse looks: it would complain of what is missing, which the misspelt option may have been.
        self._check_options(given if self._subparsers is None else list(takewhile(_is_option, given)))
        found, left = super().parse_known_args(given, namespace)
        if left:
            self.error(self._misplaced(given, left[0]))
        return found, left

    def _check_options(self, given: Sequence[str]) -> None:
        known = self.options()
        for text in given[: given.index("--")] if "--" in given else given:
            name = text.partition("=")[0]
            if _is_option(name) and not any(option.startswith(name) for option in known):
                near = nearest(name, known) or nearest(f"--{name.lstrip('-')}", known)
                hint = f"; did you mean {near}?" if near else ""
                hint = hint or ("; options stand behind the command" if self._subparsers else "")
                self.error(f"unknown option {shown(name)}{hint}")

    def _misplaced(self, given: Sequence[str], value: str) -> str:
        """What to say of a value that has no place."""
        before = self.options().get(given[given.index(value) - 1]) if value in given[1:] else None
        if before is not None and before.nargs == 0:
            return f"{before.option_strings[0]} takes no value, got {shown(value)}"
        takes = " ".join(self.places()) or "no value"
        size = "; did you mean --size?" if "--size" in self.options() and re.fullmatch(r"\d+(x\d+)?", value) else ""
        return f"unexpected value {shown(value)}, as {self.prog} takes {takes} beside its options{size}"

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """As in argparse, but nothing is no value: a shell's empty variable would become a default, unsaid."""
        value = super()._get_value(action, arg_string)
        # The words behind a command are for its own parser to judge.
        if not arg_string.strip() and action.nargs != argparse.PARSER:
            raise argparse.ArgumentError(action, f"must not be empty, got {arg_string!r}")
        return value

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As in argparse, with an offer of the nearest name."""
        if action.choices is not None and value not in action.choices:
            what = "/".join(action.option_strings) or str(action.metavar or action.dest).lower()
            raise argparse.ArgumentError(None, unknown_name(what, value, action.choices))


def _spelling(action: argparse.Action) -> str:
    """An argument as it is written, with what it takes."""
    value = str(action.metavar or action.dest).upper()
    if not action.option_strings:
        return value
    name = ", ".join(action.option_strings)
    return name if action.nargs == 0 else f"{name} {'|'.join(map(str, action.choices or [])) or value}"


def _is_option(text: str) -> bool:
    """Whether argparse takes a text for an option, and not for a value."""
    return text.startswith("-") and text != "-" and " " not in text and not _NEGATIVE.fullmatch(text)


def sentence(meaning: str, kind: Kind) -> str:
    """The help of an option that stands for a key of a file: what it means, and the names that it takes."""
    # A percent sign begins a conversion in argparse.
    text = (meaning[0].lower() + meaning[1:].rstrip(".")).replace("%", "%%").replace("`", "")
    return f"{text}: {', '.join(kind.accepted())}" if isinstance(kind, Choice) else text


def of(kind: Kind) -> Callable[[str], Any]:
    """The `type=` of an option whose value is of a kind.

    Args:
        kind: As of a key of a file. An integer stays one, any other number may have a fraction; names are texts, which
            the reader of the file checks.
    """
    if not isinstance(kind, (Integer, Number, Between)):
        return str

    def convert(text: str) -> Any:
        value = _number(text, int if isinstance(kind, Integer) else float)
        if problems := kind.problems("", value):
            raise argparse.ArgumentTypeError(f"{problems[0].partition(', got ')[0].strip()}, got {shown(text)}")
        return value

    return convert


def _number(text: str, number: type[int] | type[float]) -> Any:
    """The number that a text is, or the text, which no kind of number accepts."""
    try:
        return number_in(text, number)
    except ValueError:
        return text


def place(text: str) -> Path:
    """The path of a file or folder, for `type=` of an option.

    Raises:
        ArgumentTypeError: It is empty, which would be the current folder, or cannot be printed.
    """
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"must name a file or folder, got {text!r}")
    return Path(text)
