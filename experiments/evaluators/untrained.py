"""What every evaluator that scores networks on a data set without training them does alike."""

from abc import ABC
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from experiments.data.folders import SegmentationFolder, check_ready, open_folder
from experiments.training.checks import check_seed
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import seeded
from experiments.training.memory import keep_freed_memory, naming_what_ran_out
from experiments.training.processes import choose_device
from experiments.training.recipes import Recipe
from topformer.schema import read


class Computed(Protocol):
    """Settings that say where networks are computed."""

    @property
    def device(self) -> str:
        """One of `experiments.training.settings.DEVICES`."""
        ...

    @property
    def threads(self) -> int:
        """Threads of torch on a CPU."""
        ...


Settings = TypeVar("Settings", bound=Computed)


class UntrainedEvaluator(ABC, Generic[Settings]):
    """Scores candidates on a folder whose images are decoded once; nothing is kept of an evaluation.

    Args:
        folder: The data set, or its path.
        settings: Of the evaluator's own kind, `definition`.

    Raises:
        DataError: The folder is no data set, its classes are not known, or there is nothing to work on.
        StudyError: CUDA is asked for and there is none.
    """

    kind: ClassVar[str]
    """Name in study files."""
    definition: ClassVar[type[Any]]
    """What its table of settings in a study file is read as."""

    def __init__(self, folder: SegmentationFolder | Path, settings: Settings) -> None:
        self.settings = settings
        self.folder = open_folder(folder) if isinstance(folder, Path) else folder
        check_ready(self.folder)
        self._device = choose_device(settings.device)
        self._decoded = Decoded(self.folder, stacked=True)

    @classmethod
    def read(cls, folder: SegmentationFolder | Path, values: Mapping[str, Any]) -> Self:
        """The evaluator of the settings of a study file.

        Raises:
            StudyError: A key or a value is not accepted.
            DataError, CheckpointError: As for the class.
        """
        return cls(folder, read(cls.definition, values, "evaluator.settings"))

    @contextmanager
    def _computing(self, seed: int, recipe: Recipe) -> Iterator[None]:
        """A block whose draws are the seed's, and in which the batches of a recipe are computed.

        Raises:
            StudyError: The seed is out of range.
            MachineError: Memory runs out.
        """
        check_seed(seed)
        if self._device.type == "cpu":
            keep_freed_memory()
        with seeded(seed, threads=self.settings.threads), naming_what_ran_out(recipe.batch, *recipe.crop):
            yield
