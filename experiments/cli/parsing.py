"""The parser of every command: a mistake is one line with the nearest name, and help shows real defaults only."""

import argparse
import sys
from typing import Any, NoReturn

from topformer.errors import unknown_name


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
        print(f"topformer: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As in argparse, with an offer of the nearest name."""
        if action.choices is not None and value not in action.choices:
            what = "/".join(action.option_strings) or str(action.metavar or action.dest).lower()
            raise argparse.ArgumentError(None, unknown_name(what, value, action.choices))
