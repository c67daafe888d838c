"""The command `topformer`: it parses, calls, prints, and returns an exit status.

Exit status: 0 done, 1 something failed, 2 the input cannot be used, 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any

from experiments.cli.parsing import Parser
from topformer import __version__
from topformer.errors import ExplorerError, InputError, printable

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "sweep": "Search a space for the Pareto front of accuracy and cost; the same command continues a stopped sweep",
        "supernet": "Train one network of shared weights for a whole search space, score designs with it, and cut them "
        "out",
        "ablate": "Remake the paper's ablation tables, or your own: exact costs beside the printed figures, and paired "
        "trainings",
        "pretrain": "Pre-train a design on ImageNet, or on any folder with one subfolder of images per class",
        "train": "Train a network in full, as the release trained its own: with mmsegmentation, or faster with the "
        "lean loop",
        "evaluate": "Score a trained network on a data set: mIoU, accuracies, and the IoU of every class",
        "predict": "Draw what a trained network sees in images: each beside its classes in colour, with a legend",
        "detect": "Train a RetinaNet around a design on COCO with mmdetection, or say what it costs",
        "pareto": "Draw the Pareto plot of a run, and write its table, from the records so far",
        "report": "Write the page of a run, of ablations, a device or a truth table: one HTML file that needs no "
        "network",
        "dashboard": "Open Optuna's dashboard over a run: trials, parameters, drawings and our Pareto plot, also while "
        "it goes on",
        "truth": "Train designs drawn in strata, several seeds each: what cheaper accuracies are held against",
        "ladder": "Hold every cheaper accuracy against full trainings: how well it ranks designs, and what it costs",
        "replay": "Replay searches on recorded trainings: which sampler needs how many of them",
        "cost": "Count parameters, MACs and activation memory of a design, exactly",
        "latency": "Predict the latency of a design on a device, with its interval and what it rests on",
        "enumerate": "List the designs of a search space with their exact cost and predicted latency",
        "export": "Write a design as an ONNX or ncnn file, BatchNorm folded, and check it against torch",
        "measure": "Time designs on this machine, over ssh or on a phone, in turns with a reference network",
        "measure-next": "Choose the designs of a space whose measurement would tell most about which of them meet a "
        "latency limit",
        "calibrate": "Make a device for `topformer latency` from rows of `topformer measure`",
        "emulate": "Count the ARM instructions of designs by kind, without ARM hardware; instructions, not time",
        "devices": "List the devices that ship with the project, and how far the predictions for each are off",
        "spaces": "List the search spaces: what each varies, and how many designs that makes",
        "compare": "Show what changes between two designs, or between two devices: costs, latency by part, order, "
        "Pareto front",
        "draw": "Draw a design as an SVG file: its pyramid, what is pooled and injected, blocks, widths and head",
        "data": "List the known data sets, check one before training, convert original annotations, or make the "
        "embedded set",
        "schema": "Print what a study, an ablation table, a device or a data set file may hold, as a JSON schema for "
        "editors",
        "doctor": "Say what this machine can do, and what is missing with the line that installs it",
    }
)
"""Commands and what they do, in the order of the help; each is a module of this package with `add_arguments`, `run` and
`EXAMPLE`. They stand here so that the list of them needs none of the modules."""


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
    given = sys.argv[1:] if argv is None else argv
    try:
        args = parser([text for text in given[:1] if text in COMMANDS]).parse_args(given)
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


class _PrintCompletion(argparse.Action):
    """Prints what a shell reads to complete the command line, and ends, as `--version` does."""

    def __call__(self, top: argparse.ArgumentParser, _namespace: Any, values: Any, _option: Any = None) -> None:
        from experiments.cli.completion import script

        print(script(parser(), values))
        top.exit()


def parser(filled: Iterable[str] = tuple(COMMANDS)) -> Parser:
    """The parser of the command line.

    Args:
        filled: The commands whose arguments are declared, for which their modules load; the others are names only.
    """
    top = Parser(
        prog="topformer",
        description="Explore the TopFormer family: exact costs, calibrated ARM latency, honest accuracy.",
        epilog="example: topformer latency base --device snapdragon-865 --size 512",
    )
    top.add_argument("--version", action="version", version=f"topformer {__version__}")
    top.add_argument(
        "--print-completion", action=_PrintCompletion, metavar="SHELL", help="print completion for bash, zsh or fish"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=f"{summary}.")
        if name in filled:
            module = _module(name)
            sub.epilog = f"example: {module.EXAMPLE}"
            module.add_arguments(sub)
    return top


def _module(name: str) -> ModuleType:
    return import_module(f"experiments.cli.{name.replace('-', '_')}")


def _crash_report() -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="topformer-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return file.name


def _complain(message: str, status: int) -> int:
    sys.stdout.flush()
    # A message shows what stands in a file, and that may hold what commands a terminal.
    print(f"topformer: {printable(message)}", file=sys.stderr)
    return status
