"""The command `topformer`: it parses, calls, prints, and returns an exit status.

Exit status: 0 done, 1 something failed, 2 the input cannot be used, 130 interrupted.
"""

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from experiments.cli.parsing import Parser
from topformer import __version__
from topformer.errors import ExplorerError, InputError

COMMANDS = (
    "sweep",
    "ablate",
    "pretrain",
    "train",
    "evaluate",
    "predict",
    "detect",
    "pareto",
    "cost",
    "latency",
    "enumerate",
    "export",
    "measure",
    "measure-next",
    "calibrate",
    "emulate",
    "compare",
    "data",
    "doctor",
)
"""Subcommands, in the order of the help; each is a module of this package with `add_arguments` and `run`."""


def entry() -> None:
    """Run the command line of this process and exit with its status."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: Arguments after the program's name; those of this process by default.

    Returns:
        The exit status.
    """
    try:
        args = parser().parse_args(argv)
        status: int = _module(args.command).run(args)
        sys.stdout.flush()
    except InputError as error:
        return _complain(str(error), 2)
    except ExplorerError as error:
        return _complain(str(error), 1)
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has gone: not an error, but nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except Exception as error:  # the outermost border: a bug is one line for the user, a file for us
        return _complain(f"unexpected {type(error).__name__}: {error}; the traceback is in {_crash_report()}", 1)
    return status


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = Parser(
        prog="topformer",
        description="Explore the TopFormer family: exact costs, calibrated ARM latency, honest accuracy.",
        epilog="example: topformer latency base --device snapdragon-865 --size 512",
    )
    top.add_argument("--version", action="version", version=f"topformer {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = _module(name)
        summary, example = str(module.__doc__).split("\n\n")[0], module.EXAMPLE
        sub = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=summary,
            epilog=f"example: {example}",
        )
        module.add_arguments(sub)
    return top


def _module(name: str) -> ModuleType:
    return import_module(f"experiments.cli.{name.replace('-', '_')}")


def _crash_report() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="topformer-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return file.name


def _complain(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"topformer: {message}", file=sys.stderr)
    return status
