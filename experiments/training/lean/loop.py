"""One training of a network with the lean loop: its state, its step and its validation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from experiments.training.lean.batches import Batches, Pixels
from experiments.training.lean.compile import compiled
from experiments.training.lean.crops import Crops
from experiments.training.lean.loss import pixel_loss
from experiments.training.lean.pixels import Mixed
from experiments.training.lean.steps import Steps
from experiments.training.lean.units import adopt
from experiments.training.lean.validation import validate
from experiments.training.optimizer import build_optimizer
from experiments.training.recipes import Recipe
from experiments.training.scores import Confusion
from topformer.design import Design
from topformer.errors import EvaluationError
from topformer.network import TopFormer


class Training(Steps):
    """A network under training; see `Steps`.

    Args:
        design: The network.
        recipe: The training.
        batches: Training batches by iteration.
        device: Where it runs.
        compiler: What compiles the network, see `Machine.compile`.
        check_every: As in `Steps`.
    """

    def __init__(
        self,
        design: Design,
        recipe: Recipe,
        batches: Batches | Crops,
        *,
        device: torch.device,
        compiler: str = "none",
        check_every: int | None = None,
    ) -> None:
        super().__init__(recipe, batches, device=device, check_every=check_every)
        model = TopFormer(design, drop_path=recipe.drop_path, dropout=recipe.dropout)
        # Channels last: 1.4 to 1.9 times the speed on one CPU core in three noisy runs; GPUs want it too.
        self.model: TopFormer = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if device.type == "cpu" and recipe.precision == "float32" and compiler == "none":
            adopt(self.model)
        self.forward = compiled(self.model, compiler, device)
        self.optimizer = build_optimizer(self.model.backbone, self.model.head, recipe)

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """Leave the gradients of the pixel loss."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits = self.forward(images)
        self.descend(pixel_loss(logits.float(), labels, self.recipe.loss_stride))

    def validate(self, split: Pixels | Mixed) -> Confusion:
        """Confusion matrix of a whole split, see `experiments.training.lean.validation`.

        Raises:
            EvaluationError: The network gives logits that are not finite.
        """
        self.model.eval()
        try:
            return validate(self.model, split, self.recipe, self.device)
        except EvaluationError as error:
            raise EvaluationError(f"{error} after {self.iteration} iterations") from None
        finally:
            self.model.train()

    def tensors(self) -> dict[str, Tensor]:
        """The state dict."""
        return self.model.state_dict()

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Take a state dict."""
        self.model.load_state_dict(tensors)


@contextmanager
def seeded(seed: int, *, threads: int) -> Iterator[None]:
    """Torch's generators at `seed` and its threads at `threads`; both are put back at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
