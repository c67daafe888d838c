"""The training of a supernet: the sandwich rule with distillation in place, on the parts of one store."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from experiments.training.lean.batches import Batches
from experiments.training.lean.crops import Crops
from experiments.training.lean.loss import pixel_loss
from experiments.training.lean.steps import Steps
from experiments.training.lean.units import adopt
from experiments.training.optimizer import store_optimizer
from experiments.training.recipes import Recipe
from experiments.training.supernet.draws import Draws
from topformer.design import Design
from topformer.layers import grid
from topformer.network import TopFormer
from topformer.weights.statistics import skeleton
from topformer.weights.store import Store

ALONE = 0.08
"""Share of the iterations in which the largest design learns alone."""
LARGEST_NORM = 1.0
"""To which the gradients of an iteration are clipped, all parameters together."""
_REMEMBERED = 64
"""Networks without parameters that are kept."""


class SupernetTraining(Steps):
    """A store of parameters under training; see `Steps`.

    Every iteration trains the largest design of one combination of kinds on the labels; then the smallest and some
    random ones, each half on the labels and half on what the largest says, on the grid of their own logits. Stochastic
    depth and dropout are the largest's alone. BatchNorm takes the statistics of the batch, and tracks none.

    Args:
        store: The parameters; they become leaves of the gradients.
        draws: Which designs an iteration trains.
        recipe: The training.
        batches: Training batches by iteration.
        seed: Of the designs.
        device: Where it runs.

    Reference: Yu et al., BigNAS, ECCV 2020, section 3.1 (sandwich rule and inplace distillation).
    """

    def __init__(
        self,
        store: Store,
        draws: Draws,
        recipe: Recipe,
        batches: Batches | Crops,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(recipe, batches, device=device)
        self._parameters = {name: nn.Parameter(value.to(device)) for name, value in store.values.items()}
        store.values.update(self._parameters)
        self.store, self.draws, self.seed = store, draws, seed
        self.optimizer = store_optimizer(self._parameters, recipe)
        self._fast = device.type == "cpu" and recipe.precision == "float32"
        self._skeleton = lru_cache(maxsize=_REMEMBERED)(self._built)

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """Leave the gradients of all designs of the iteration, clipped."""
        drawn = self.draws.at(self.seed, self.iteration)
        logits = self._logits(drawn.largest, images, dropping=True)
        self.descend(pixel_loss(logits, labels, self.recipe.loss_stride))
        if self.iteration >= ALONE * self.recipe.iterations:
            told = logits.detach().softmax(dim=1)
            for design in drawn.others:
                logits = self._logits(design, images)
                hard = pixel_loss(logits, labels, self.recipe.loss_stride)
                self.descend((hard + soft_loss(logits, told)) / 2)
        nn.utils.clip_grad_norm_(self._parameters.values(), LARGEST_NORM)

    def _logits(self, design: Design, images: Tensor, *, dropping: bool = False) -> Tensor:
        network = self._skeleton(design, dropping)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits: Tensor = functional_call(network, self.store.cut(network), (images,))
        return logits.float()

    def _built(self, design: Design, dropping: bool) -> TopFormer:
        recipe = self.recipe
        network = skeleton(design, drop_path=recipe.drop_path, dropout=recipe.dropout) if dropping else skeleton(design)
        if self._fast:
            adopt(network)
        return network

    def tensors(self) -> dict[str, Tensor]:
        """The parameters by their names in the store."""
        return {name: value.detach() for name, value in self._parameters.items()}

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Take the parameters of such a store."""
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(tensors[name])


def soft_loss(logits: Tensor, told: Tensor) -> Tensor:
    """Cross-entropy with the probabilities of another network, averaged over each cell of the logits' grid.

    Args:
        logits: (B, K, h, w).
        told: (B, K, H, W) probabilities, on a grid that may be finer.
    """
    target = functional.adaptive_avg_pool2d(told, grid(logits))
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
