"""One training of a segmentation network, as it is handed to either loop."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from experiments.data.folders import SegmentationFolder
from experiments.training.claim import data_identity
from experiments.training.processes import world_size
from experiments.training.recipes import Recipe
from experiments.training.weights import START, start_digest, starting_weights
from topformer.codec import to_json
from topformer.design import Design
from topformer.files import write_json


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """Everything that the weights of a training depend on.

    Attributes:
        design: The network, with the data's number of classes.
        recipe: The training.
        folder: The data set.
        seed: Of initialisation, data order and augmentation.
        checkpoint: Weights to start from, such as a released ImageNet backbone.
        source: The design that these belong to, if not `design`; they are sliced.
        skip_classifier: Whether the classifier starts anew all the same.
        until: Iterations after which it stops before the end of its schedule, with a checkpoint to go on from.
    """

    design: Design
    recipe: Recipe
    folder: SegmentationFolder
    seed: int = 0
    checkpoint: Path | None = None
    source: Design | None = None
    skip_classifier: bool = False
    until: int | None = None

    def describe(self) -> dict[str, Any]:
        """As plain JSON; files are known by their content or by names and sizes, not by their place."""
        return {
            "design": to_json(self.design),
            "recipe": asdict(self.recipe),
            "data": data_identity(self.folder),
            "seed": self.seed,
            "start": self._start(),
            # Draws of dropout and sums of gradients differ with their number.
            "processes": world_size(),
        }

    def _start(self) -> str | None:
        """What is loaded, in a line."""
        return start_digest(self.checkpoint, skip_classifier=self.skip_classifier) if self.checkpoint else None

    def starting_weights(self, out: Path) -> dict[str, Tensor] | None:
        """The weights to start from, if there are any; where they come from is written into a folder.

        Raises:
            CheckpointError: The file cannot be read or belongs to another design.
            StorageError: The disk does not take the note.
        """
        if self.checkpoint is None:
            return None
        state, origin = starting_weights(
            self.checkpoint,
            self.source or self.design,
            self.design,
            seed=self.seed,
            skip_classifier=self.skip_classifier,
        )
        write_json(out / START, origin.to_json())
        return state
