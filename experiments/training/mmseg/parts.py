"""What a configuration of ours names beside mmsegmentation's own parts: the network, its optimizer, its metric.

A configuration imports this module by `custom_imports`, so that mmsegmentation's own tools run the very training that
the commands here run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from experiments.training.optimizer import parameter_groups
from experiments.training.scores import Scores, scores_of_areas
from topformer.mmseg import quiet, to_segmentor_state
from topformer.network import TopFormer

with quiet():
    from mmengine.dist import broadcast_object_list
    from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
    from mmseg.evaluation import IoUMetric
    from mmseg.models import EncoderDecoder
    from mmseg.registry import METRICS, MODELS


@MODELS.register_module()
class TopFormerSegmentor(EncoderDecoder):  # type: ignore[misc]
    """mmsegmentation's segmentor in channels-last memory, started as the lean loop starts its network.

    Args:
        seed: Of the initial weights; mmengine's own draws, which hang on the order of construction, without one.
        settings: Of `EncoderDecoder`.
    """

    def __init__(self, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.seed = seed
        # 1.4 to 1.9 times the speed on one CPU core; GPUs want it too.
        self.to(memory_format=torch.channels_last)

    def init_weights(self) -> None:
        """The very weights of a `TopFormer` at the seed; then what the backbone is told to start from, if anything."""
        if self.seed is not None:
            with torch.random.fork_rng(range(torch.cuda.device_count())):
                torch.manual_seed(self.seed)
                network = TopFormer(self.backbone.design)
            self.load_state_dict(to_segmentor_state(network.state_dict()), strict=True)
        super().init_weights()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor:
    """Four groups of parameters instead of mmengine's one per tensor, whose fused step takes a fraction of the time.

    Args:
        optim_wrapper_cfg: The wrapper and, as `optimizer`, its optimizer with `lr` and `weight_decay`.
        paramwise_cfg: `head_multiplier` and `norm_weight_decay`, see `parameter_groups`.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, float]) -> None:
        self.wrapper, self.grouping = dict(optim_wrapper_cfg), dict(paramwise_cfg)

    def __call__(self, model: Any) -> Any:
        """The wrapper for a segmentor, alone or shared by several processes."""
        network = getattr(model, "module", model)
        optimizer = dict(self.wrapper["optimizer"])
        groups = parameter_groups(
            network.backbone,
            network.decode_head,
            learning_rate=optimizer["lr"],
            weight_decay=optimizer["weight_decay"],
            **self.grouping,
        )
        return OPTIM_WRAPPERS.build({**self.wrapper, "optimizer": OPTIMIZERS.build({**optimizer, "params": groups})})


@METRICS.register_module()
class ScoresMetric(IoUMetric):  # type: ignore[misc]
    """mmsegmentation's IoUMetric, which also keeps its numbers unrounded and by class in `scores`, in all processes."""

    scores: Scores

    def __init__(self, **settings: Any) -> None:
        # Several processes exchange their results by messages; the default writes them into the current folder.
        super().__init__(**{"collect_device": "gpu", **settings})

    def evaluate(self, size: int) -> dict[str, float]:
        """IoUMetric's results."""
        found: dict[str, float] = super().evaluate(size)
        held = [getattr(self, "scores", None)]
        broadcast_object_list(held)
        assert held[0] is not None
        self.scores = held[0]
        return found

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """IoUMetric's results."""
        images = zip(*results, strict=True)
        right, _, predicted, labelled = (np.sum([np.asarray(a, np.int64) for a in kind], axis=0) for kind in images)
        self.scores = scores_of_areas(right, labelled, predicted)
        return super().compute_metrics(results)  # type: ignore[no-any-return]
