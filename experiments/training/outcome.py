"""What an evaluation keeps in its folder: its identity, and its result once it is finished."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from experiments.data.folders import SegmentationFolder
from experiments.evaluators.base import Accuracy
from experiments.training.scores import Scores, group_means
from search_space.candidate import Candidate
from topformer.errors import EvaluationError, StorageError, StudyError

IDENTITY = "evaluation.json"
RESULT = "result.json"
TRAINING, VALIDATION = "training", "validation"
WEIGHTS = "weights.pt"
"""Weights of the trained network: a state dict of `topformer.network.TopFormer` that `weights_only=True` loads."""

_UNFINISHED = re.compile(r"\.\w+\.\w+\.\d+")
"""Names that `replacing` gives."""


def describe(kind: str, folder: SegmentationFolder, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a training evaluator's numbers depend on beside candidate, budget and seed, as plain JSON.

    The data are known by the names and sizes of their files, which differ between two seeds of one generator.
    """
    digest = hashlib.sha256()
    for split in (TRAINING, VALIDATION):
        for pair in folder.pairs(split):
            for path in (pair.image, pair.label):
                digest.update(f"{path.relative_to(folder.root)} {path.stat().st_size}\n".encode())
    data = {"name": folder.name, "classes": list(folder.classes), "files": digest.hexdigest()[:12]}
    return {"kind": kind, "data": data, **settings}


def trained(
    folder: SegmentationFolder,
    final: Scores,
    earlier: Mapping[int, float],
    *,
    budget: int,
    seed: int,
    seconds: float,
) -> Accuracy:
    """The accuracy of a finished training.

    Args:
        folder: The data set.
        final: Scores of the validation split after the last update.
        earlier: mIoU in percent by update, of earlier validations.
        budget: Updates.
        seed: Seed.
        seconds: Wall-clock time.

    Raises:
        EvaluationError: The validation split has no labelled pixel.
    """
    if isnan(final.miou):
        raise EvaluationError(f"the validation split of {folder.root} has no labelled pixel")
    named = zip(folder.classes, final.per_class, strict=True)
    per_class = {name: value for name, value in named if not isnan(value)}
    return Accuracy(
        metric=f"miou@{folder.name}",
        value=final.miou,
        source="trained",
        budget=budget,
        seed=seed,
        seconds=seconds,
        best=max([*earlier.values(), final.miou]),
        per_class=per_class,
        groups=group_means(per_class, folder.groups),
    )


def not_finite(loss: float, update: int, budget: int, images: Sequence[str] = ()) -> EvaluationError:
    """The error of a loss that is not finite, at an update counted from 1, with the images of its batch."""
    batch = f", on {', '.join(images)}" if images else ""
    return EvaluationError(f"the loss is {loss} at update {update} of {budget}{batch}; a lower learning rate may help")


def identity(settings: Mapping[str, Any], candidate: Candidate, *, budget: int, seed: int) -> dict[str, Any]:
    """Everything that the number of an evaluation depends on, as plain JSON.

    Raises:
        StudyError: The budget is no positive number of updates, or the seed no natural number.
    """
    for name, value, least in (("budget", budget, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise StudyError(f"{name} must be an integer of at least {least}, got {value!r}")
    return {"evaluator": dict(settings), "candidate": candidate.fingerprint, "budget": budget, "seed": seed}


def open_evaluation(folder: Path, wanted: Mapping[str, Any]) -> Accuracy | None:
    """Make `folder` that of the evaluation `wanted`; give its result if it is finished.

    Raises:
        StudyError: The folder belongs to another evaluation; the message names what differs.
        StorageError: It cannot be made or read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / IDENTITY).exists():
        write_json(folder / IDENTITY, wanted)
        return None
    found = read_json(folder / IDENTITY)
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        name = differing[0]
        raise StudyError(f"{folder} holds an evaluation with another {name}: {found.get(name)!r}, not {wanted[name]!r}")
    return Accuracy(**read_json(folder / RESULT)) if (folder / RESULT).exists() else None


def close_evaluation(folder: Path, accuracy: Accuracy) -> None:
    """Store the result, from which `open_evaluation` answers from now on."""
    write_json(folder / RESULT, asdict(accuracy))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file that is either whole or absent."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="ascii")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A fresh file to write, which takes the place of `path` in one step when the block ends well.

    Raises:
        StorageError: The disk does not take it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error
    finally:
        fresh.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed within `replacing` left behind."""
    for left in folder.glob(".*"):
        if _UNFINISHED.fullmatch(left.name):
            left.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        StorageError: The file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} must hold a JSON object, got {value!r}")
    return value
