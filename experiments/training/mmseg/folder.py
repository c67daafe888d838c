"""The folder of a training through mmengine: its configuration, and whose training it holds."""

import re
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

from experiments.training.mmseg.runner import last_checkpoint
from experiments.training.outcome import WEIGHTS, remove_unfinished, replacing
from experiments.training.processes import rank, wait_for_all
from topformer.errors import StudyError

CONFIGURATION = "config.py"
INITIAL = "initial.pth"
_LOADING = re.compile(r"'num_workers': \d+,\s+'persistent_workers': \w+,?")
"""What a training may go on with another value of: how its data are loaded."""


def prepare(out: Path, text: str, logs: str, write_initial: Callable[[Path], None] | None) -> None:
    """Make a folder that of a training: the first process writes what it lacks, the others wait.

    A configuration under which nothing was trained yet gives way.

    Args:
        out: The folder.
        text: The configuration.
        logs: Name of the folder inside it with mmengine's checkpoints.
        write_initial: Writes the weights to start from into a file, if the training starts from any.

    Raises:
        StudyError: `out` holds another training.
        StorageError: A file cannot be written.
    """
    if rank() == 0:
        _claim(out, text, logs)
        if write_initial and not (out / INITIAL).exists():
            write_initial(out / INITIAL)
    wait_for_all()


def _claim(out: Path, text: str, logs: str) -> None:
    (out / logs).mkdir(parents=True, exist_ok=True)
    for folder in (out, out / logs):
        remove_unfinished(folder)
    known = out / CONFIGURATION
    old = known.read_text(encoding="utf-8") if known.exists() else ""
    if last_checkpoint(out / logs) or (out / WEIGHTS).exists():
        if _LOADING.sub("", old) == _LOADING.sub("", text):
            return
        raise StudyError(f"{out} holds another training: {_difference(old, text)}; choose another --out")
    (out / INITIAL).unlink(missing_ok=True)
    with replacing(known) as fresh:
        fresh.write_text(text, encoding="utf-8")


def _difference(old: str, new: str) -> str:
    pairs = zip_longest(old.splitlines(), new.splitlines(), fillvalue="nothing")
    there, wanted = next((a, b) for a, b in pairs if a != b)
    return f"{there.strip()}, not {wanted.strip()}"
