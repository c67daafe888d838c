"""Zero-cost proxies: numbers of a network that nobody trained, from a few batches, said to order networks.

Every proxy is asked of a network without stochastic depth and dropout, in which every BatchNorm has weight 1. The
release starts the last BatchNorm of attention at 0; then no gradient reaches query, key and value, and whoever sums
gradients does not see attention at all. Only leaves are looked at: a container's output is that of its last child,
and would count twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from types import MappingProxyType

import torch
from torch import Tensor, nn

from experiments.training.lean.loss import pixel_loss
from topformer.design import Design
from topformer.errors import EvaluationError
from topformer.network import TopFormer

Batch = tuple[Tensor, Tensor]
"""Images (B, 3, H, W) float32 and labels (B, H, W) uint8."""

Proxy = Callable[[nn.Module, Sequence[Batch]], float]
"""The number of a fresh network; more is better."""

_ACTIVATIONS = (nn.ReLU, nn.ReLU6)


def fresh(design: Design) -> TopFormer:
    """A network as the proxies want it, drawn from torch's global generator, in training mode."""
    model = TopFormer(design, drop_path=0.0, dropout=0.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return model.train()


def score(name: str, model: nn.Module, batches: Sequence[Batch]) -> float:
    """The number of a network; afterwards the network is spoilt.

    Args:
        name: One of `PROXIES`.
        model: What `fresh` gives.
        batches: At least two, on the network's device.

    Raises:
        EvaluationError: The number is not finite.
    """
    value = PROXIES[name](model, batches)
    if not isfinite(value):
        height, width = batches[0][0].shape[2:]
        raise EvaluationError(f"{name} of this design is {value} at {height} x {width} px on batches of so few images")
    return value


def zico(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Sum over the layers of the logarithm of the summed inverse coefficients of variation of their gradients.

    For each weight: the mean of its absolute gradient over the batches, divided by the standard deviation of its
    gradient. Weights whose gradient never changes are left out.

    Reference: Li et al., ZiCo: zero-shot NAS via inverse coefficient of variation on gradients, ICLR 2023.
    """
    gradients = [_gradients(model, batch) for batch in batches]
    total = 0.0
    for of_layer in zip(*gradients, strict=True):
        # (batches, weights of the layer)
        stacked = torch.stack([gradient.flatten() for gradient in of_layer]).double()
        mean, sd = stacked.abs().mean(dim=0), stacked.std(dim=0, correction=0)
        varies = sd > 0
        summed = float((mean[varies] / sd[varies]).sum())
        total += torch.tensor(summed).log().item() if summed > 0 else 0.0
    return total


def grad_norm(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Sum over the layers of the Euclidean norm of the gradient of the loss, mean over the batches.

    Reference: Abdelfattah et al., Zero-cost proxies for lightweight NAS, ICLR 2021.
    """
    return _mean(sum(float(gradient.norm()) for gradient in _gradients(model, batch)) for batch in batches)


def snip(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Sum over all weights of |weight x gradient of the loss|, mean over the batches.

    Reference: Lee et al., SNIP: single-shot network pruning based on connection sensitivity, ICLR 2019; summed over a
    network by Abdelfattah et al., ICLR 2021.
    """
    weights = [layer.weight.detach() for layer in _layers(model)]
    return _mean(
        sum(float((weight * gradient).abs().sum()) for weight, gradient in zip(weights, found, strict=True))
        for found in (_gradients(model, batch) for batch in batches)
    )


def naswot(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Log-determinant of how alike images are in the signs of all activations, mean over the batches.

    Two images agree in a unit where it is on, or off, for both; K (B, B) counts these over every ReLU and ReLU6.

    Reference: Mellor et al., Neural architecture search without training, ICML 2021.
    """
    return _mean(_log_determinant(model, images) for images, _ in batches)


def synflow(model: nn.Module, batches: Sequence[Batch]) -> float:
    """Logarithm of the sum over all weights of |weight x gradient| of the summed logits of an image of ones.

    All weights are taken absolute, BatchNorm is the identity, ReLU6 becomes ReLU: its bound of 6 would cut off almost
    every gradient, because activations grow from layer to layer where no sign cancels. Of the batches only the size
    is used.

    Reference: Tanaka et al., Pruning neural networks without any data by iteratively conserving synaptic flow,
    NeurIPS 2020; as a proxy Abdelfattah et al., ICLR 2021.
    """
    # Activations of dozens of layers without a sign leave the range of float32.
    model = _unbounded(model).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    images = batches[0][0]
    weights = [layer.weight for layer in _layers(model)]
    logits = model(torch.ones_like(images[:1], dtype=torch.float64))
    gradients = torch.autograd.grad(logits.sum(), weights)
    flows = [(weight.detach() * gradient).abs().sum() for weight, gradient in zip(weights, gradients, strict=True)]
    return float(torch.stack(flows).sum().log())


PROXIES: Mapping[str, Proxy] = MappingProxyType(
    {"zico": zico, "synflow": synflow, "naswot": naswot, "grad_norm": grad_norm, "snip": snip}
)
"""Name to proxy; in settings and metrics they go by these."""


def _layers(model: nn.Module) -> list[nn.Conv2d]:
    """The convolutions, which hold every weight but those of BatchNorm."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


def _gradients(model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
    """Gradient of the training's loss by the weight of every convolution."""
    images, labels = batch
    return torch.autograd.grad(pixel_loss(model(images), labels), [layer.weight for layer in _layers(model)])


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _unbounded(model: nn.Module) -> nn.Module:
    """The network with ReLU in the place of every ReLU6."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.ReLU())
    return model


def _log_determinant(model: nn.Module, images: Tensor) -> float:
    alike = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

    def count(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # (images, units of the layer)
        on = (output > 0).flatten(1).float()
        off = 1 - on
        alike.add_((on @ on.T + off @ off.T).double())

    with torch.no_grad(), _hooked(model, count):
        model(images)
    return float(torch.linalg.slogdet(alike)[1])


@contextmanager
def _hooked(model: nn.Module, hook: Callable[..., None]) -> Iterator[None]:
    """The hook on every activation while the block runs; an activation is a leaf."""
    handles = [module.register_forward_hook(hook) for module in model.modules() if isinstance(module, _ACTIVATIONS)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
