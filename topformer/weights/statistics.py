"""BatchNorm's statistics of networks whose weights are parts of others': none in training, recalibrated afterwards."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from topformer.design import Design
from topformer.network import TopFormer


def skeleton(design: Design, *, drop_path: float = 0.0, dropout: float = 0.0) -> TopFormer:
    """A network in training mode without parameters or statistics of its own, for `torch.func.functional_call`.

    BatchNorm takes the statistics of its batch and tracks none. Torch's generator stays as it was.
    """
    with torch.random.fork_rng(devices=()):
        network = TopFormer(design, drop_path=drop_path, dropout=dropout)
    for norm in _norms(network):
        norm.track_running_stats = False
        norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    return network.to("meta")


def recalibrate(network: TopFormer, batches: Iterable[Tensor]) -> None:
    """Replace BatchNorm's statistics by the averages of those of some batches, each of which counts alike.

    Every batch is normalised by its own statistics meanwhile, as in training; nothing is dropped. The network is left
    in evaluation mode.

    Args:
        network: Changed in place.
        batches: Images (B, 3, H, W).

    Reference: Yu and Huang, Universally slimmable networks, ICCV 2019, section 4 (post-statistics of BatchNorm).
    """
    network.eval()
    norms = _norms(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        # None: a cumulative average.
        norm.momentum = None
        norm.train()
    with torch.inference_mode():
        for images in batches:
            network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
