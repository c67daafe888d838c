"""What a short training may start from: a supernet of its space, or a checkpoint of another design, by slicing."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from experiments.data.folders import SegmentationFolder
from experiments.training.job import TrainingJob
from experiments.training.supernet.train import SUPERNET
from experiments.training.supernet.trained import Supernet
from experiments.training.weights import digest
from search_space.candidate import Candidate
from topformer.codec import fingerprint
from topformer.design import Design
from topformer.design_file import read_design
from topformer.errors import StudyError
from topformer.network import TopFormer


class Origin(Protocol):
    """Where the weights of a training come from."""

    def describe(self) -> dict[str, Any]:
        """What the weights depend on, as plain JSON."""
        ...

    def job(self, job: TrainingJob) -> TrainingJob:
        """The training that starts there.

        Raises:
            StudyError: There are no weights for its design.
        """
        ...


def origin(start: str, design: str | None, folder: SegmentationFolder) -> Origin:
    """The supernet in a folder, or the checkpoint in a file.

    Args:
        start: A folder that `topformer supernet train` left, or a file of weights.
        design: For a file, the design that it belongs to: a preset, or a JSON file.
        folder: The data set of the trainings.

    Raises:
        StudyError: There is neither, or the supernet was trained on other data.
        CheckpointError: The weights of the supernet cannot be read.
        DesignError: No such design.
    """
    path = Path(start)
    if path.is_dir() or (path / SUPERNET).exists():
        if design is not None:
            raise StudyError(f"start_design says what a file of weights belongs to, but start {start} is a folder")
        supernet = Supernet.read(path)
        supernet.check_data(folder)
        return FromSupernet(supernet)
    if not path.is_file():
        raise StudyError(f"start must be the folder of a supernet or a file of weights, got {start}")
    if design is None:
        raise StudyError(f"start_design is missing: the design that the weights in {start} belong to")
    return FromCheckpoint(path, read_design(design))


@dataclass(frozen=True, slots=True)
class FromCheckpoint:
    """Weights of one design, sliced for every other; what differs starts anew.

    Attributes:
        path: The file.
        source: The design that it belongs to; where its classes are others, the classifier starts anew.
    """

    path: Path
    source: Design

    def describe(self) -> dict[str, Any]:
        """The file by its content."""
        return {"checkpoint": digest(self.path), "design": fingerprint(self.source)}

    def job(self, job: TrainingJob) -> TrainingJob:
        """The training from the file."""
        others = self.source.num_classes != job.design.num_classes
        return replace(job, checkpoint=self.path, source=self.source, skip_classifier=others)


@dataclass(frozen=True, slots=True)
class FromSupernet:
    """The part of a supernet that belongs to a design.

    Attributes:
        supernet: The supernet.
    """

    supernet: Supernet

    def describe(self) -> dict[str, Any]:
        """The supernet by its weights."""
        return {"supernet": self.supernet.digest}

    def job(self, job: TrainingJob) -> TrainingJob:
        """The training from the design's part; the statistics of BatchNorm start anew."""
        height, width = job.recipe.crop
        own = self.supernet.own(Candidate(design=job.design, height=height, width=width))
        return _Job(design=own.design, recipe=job.recipe, folder=job.folder, seed=job.seed, supernet=self.supernet)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job(TrainingJob):
    """A training that starts from a part of a supernet."""

    supernet: Supernet

    def starting_weights(self, out: Path) -> dict[str, Tensor]:
        del out
        with torch.random.fork_rng():
            network = TopFormer(self.design)
        parts = {name: part.detach().clone() for name, part in self.supernet.store.cut(network).items()}
        return {**network.state_dict(), **parts}
