"""Whose training a folder holds: asked in the same way by every loop, and told by plain data alone."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments import files
from experiments.data.folders import TRAINING, VALIDATION, SegmentationFolder
from experiments.training.outcome import RESULT, WEIGHTS
from topformer.errors import StudyError

CLAIM = "training.json"
CHECKPOINT = "checkpoint.pt"
_BEGUN = (WEIGHTS, RESULT, CHECKPOINT, "*/iter_*.pth", "*/epoch_*.pth")
"""Files that only a training that was begun has left."""
_STARTS = ("initial.pth", "start.json")
"""Files that belong to the training that was to be."""


@contextmanager
def claimed(out: Path, training: Mapping[str, Any], *, name: str = CLAIM, first: bool = True) -> Iterator[None]:
    """Hold a folder for a training while the block runs; errors as in `claim`, or another process trains there.

    Args:
        out: The folder.
        training: Everything that the weights depend on, as plain JSON.
        name: The file in which that stands.
        first: Whether this is the first process of the training; the others leave it to that one.
    """
    if not first:
        yield
        return
    with files.held(out, "training"):
        claim(out, training, name=name)
        yield


def claim(out: Path, training: Mapping[str, Any], *, name: str = CLAIM) -> None:
    """Make a folder that of a training, or find that it is so already.

    A training of which nothing was computed yet gives way.

    Args:
        out: The folder; made if it is not there.
        training: Everything that the weights depend on, as plain JSON.
        name: The file in which that stands.

    Raises:
        StudyError: The folder holds another training; the message names what differs.
        StorageError: A file cannot be read or written.
    """
    files.make_folder(out)
    begun = _begun(out)
    if begun is None:
        for left in (name, *_STARTS):
            (out / left).unlink(missing_ok=True)
    elif not (out / name).exists():
        raise StudyError(
            f"{out} holds {begun} but no {name}: an earlier version's training, which this version cannot continue, "
            "or files of something else; choose another --out"
        )
    files.claim(out, name, training, holds="training", besides=[item.name for item in out.iterdir()])


def _begun(out: Path) -> str | None:
    """A file that a training has left, if there is one."""
    found = (path for pattern in _BEGUN for path in sorted(out.glob(pattern)))
    return next((str(path.relative_to(out)) for path in found), None)


def data_identity(folder: SegmentationFolder) -> dict[str, Any]:
    """What data a training's numbers depend on, wherever the folder lies.

    The data are known by the names and sizes of their files, which differ between two seeds of one generator.
    """
    digest = hashlib.sha256()
    for split in (TRAINING, VALIDATION):
        for pair in folder.pairs(split):
            for path in (pair.image, pair.label):
                digest.update(f"{path.relative_to(folder.root)} {path.stat().st_size}\n".encode())
    return {"name": folder.name, "classes": list(folder.classes), "files": digest.hexdigest()[:12]}
