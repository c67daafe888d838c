"""The workers of an ablation as options: as many as the machine has room for, where nothing says more."""

import argparse
import os
from dataclasses import replace
from math import floor

from experiments.cli.parsing import of, sentence
from experiments.engines import LOCAL
from experiments.engines.workers import ROUNDING, Workers, gpus_here
from experiments.evaluators.definition import EvaluatorDefinition
from topformer.errors import InputError
from topformer.schema import declared

OPTIONS = {"--workers": "count", "--cpus": "cpus", "--gpus": "gpus"}
"""Option to the key of `Workers`, which says what is accepted and what it means."""
_DEFAULTS = {"count": "; by default as many as this machine has room for", "gpus": "; by default a whole one"}


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add what says how many trainings run beside each other, and what each may use."""
    for option, name in OPTIONS.items():
        kind, meaning = declared(Workers, (name,))
        parser.add_argument(option, type=of(kind), default=None, help=sentence(meaning, kind) + _DEFAULTS.get(name, ""))


def workers(args: argparse.Namespace, evaluator: EvaluatorDefinition) -> Workers:
    """The workers that the arguments of `add_workers` and `add_engine` name.

    Args:
        args: The arguments.
        evaluator: What they evaluate: where it uses a GPU, there are no more workers than GPUs to give.

    Raises:
        InputError: A cluster is asked for, and not how much of it.
        StudyError: A share of GPUs that is none.
    """
    given = {name: getattr(args, option[2:]) for option, name in OPTIONS.items()}
    wanted = Workers(**{name: value for name, value in given.items() if value is not None})
    if args.workers is not None:
        return wanted
    if args.engine != LOCAL:
        raise InputError(f"--engine {args.engine} needs --workers: how much of the cluster the run may use")
    return replace(wanted, count=_room(wanted, uses_gpu=evaluator.uses_gpu))


def _room(wanted: Workers, *, uses_gpu: bool) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = max(1, floor(cores / wanted.cpus))
    gpus = gpus_here() if uses_gpu or wanted.gpus else 0
    share = wanted.settled(uses_gpu=uses_gpu, available=gpus).gpus
    return min(room, max(1, floor(gpus / share + ROUNDING))) if share else room
