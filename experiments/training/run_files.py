"""The folder of a training through mmengine: its configuration, and whose training it holds."""

import re
from itertools import zip_longest
from pathlib import Path

from experiments.evaluators.mmseg_runner import last_checkpoint
from experiments.evaluators.results import WEIGHTS, remove_unfinished, replacing
from topformer.errors import StudyError

CONFIGURATION = "config.py"
INITIAL = "initial.pth"
_LOADING = re.compile(r"'num_workers': \d+,\s+'persistent_workers': \w+,?")
"""What a training may go on with another value of: how its data are loaded."""


def claim(out: Path, text: str, logs: str) -> None:
    """Write the configuration, or find the same there; one under which nothing was trained yet gives way.

    Args:
        out: Folder of the training.
        text: Its configuration.
        logs: Name of the folder inside it with mmengine's checkpoints.

    Raises:
        StudyError: `out` holds another training.
        StorageError: The file cannot be written.
    """
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
