"""Trained networks at work through mmsegmentation: scores of a validation split, and predictions of single images."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from experiments.data.folders import VALIDATION, SegmentationFolder, check_ready
from experiments.data.images import MOST_PIXELS, Pixels
from experiments.training.checks import check_fit
from experiments.training.mmseg.configuration import augmented_pipeline, evaluation_pipeline, model
from experiments.training.mmseg.data import build_dataset
from experiments.training.mmseg.parts import ScoresMetric
from experiments.training.outcome import Progress
from experiments.training.recipes import Recipe
from experiments.training.scores import Scores
from topformer.design import Design
from topformer.errors import StudyError
from topformer.mmseg import quiet, to_segmentor_state

with quiet():
    from mmengine.config import ConfigDict
    from mmengine.dataset import Compose, pseudo_collate
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope
    from mmseg.models import SegTTAModel
    from mmseg.registry import MODELS


def evaluate(
    design: Design,
    state: dict[str, Tensor],
    recipe: Recipe,
    folder: SegmentationFolder,
    *,
    flip: bool = False,
    factors: tuple[float, ...] = (1.0,),
    split: str = VALIDATION,
    workers: int = 0,
    progress: Progress | None = None,
) -> Scores:
    """Score a network on a split, with mmsegmentation's IoUMetric.

    Args:
        design: The network, with the data's number of classes.
        state: Its weights.
        recipe: Says the evaluation scale.
        folder: The data set.
        flip: Whether the mirrored image is predicted too, and averaged.
        factors: Factors on the evaluation scale; predictions are averaged.
        split: The split.
        workers: Processes that load data.
        progress: Called after every image with the images done and all of them.

    Raises:
        DataError: The folder lacks something, or its split has nothing to score.
        StudyError: `factors` are none, not above 0 or too large, the design has another number of classes, or the
            recipe is for another data set.
    """
    check_fit(recipe, folder)
    check_ready(folder, [split])
    if design.num_classes != folder.num_classes:
        raise StudyError(f"the network has {design.num_classes} classes, {folder.root} has {folder.num_classes}")
    _check_factors(factors, recipe)
    augmented = flip or tuple(factors) != (1.0,)
    pipeline = augmented_pipeline(recipe, factors=factors, flip=flip) if augmented else evaluation_pipeline(recipe)
    with _quietly(), torch.inference_mode():
        network: Any = _segmentor(design, state, recipe)
        if augmented:
            network = SegTTAModel(module=network)
        data = build_dataset(folder, split, pipeline)
        metric = ScoresMetric()
        metric.dataset_meta = data.metainfo
        for done, batch in enumerate(DataLoader(data, collate_fn=pseudo_collate, num_workers=workers), start=1):
            metric.process(batch, [sample.to_dict() for sample in network.test_step(batch)])
            if progress:
                progress(done, len(data))
        metric.compute_metrics(metric.results)
    return metric.scores


def _check_factors(factors: tuple[float, ...], recipe: Recipe) -> None:
    """An evaluation is no larger than the largest image that is read, and leaves a square one a pixel."""
    longer, shorter = recipe.evaluation_scale
    least, most = 1 / shorter, (MOST_PIXELS / (longer * shorter)) ** 0.5
    if not factors or not all(isfinite(factor) and least <= factor <= most for factor in factors):
        given = ", ".join(map(str, factors))
        raise StudyError(f"scales must be numbers from {least:.3g} to {most:.3g}, got {given or 'none'}")


def predictor(design: Design, state: dict[str, Tensor], recipe: Recipe) -> Callable[[Pixels], Pixels]:
    """What gives the class of every pixel of an image: (H, W, 3) uint8, red first, to (H, W) int64."""
    with _quietly():
        network = _segmentor(design, state, recipe)
        # Behind our decoder, as in training: the pixels are those that are drawn.
        load = Compose([{"type": "LoadImageFromNDArray"}, *evaluation_pipeline(recipe, labels=False)[1:]])

    def predict(image: Pixels) -> Pixels:
        with _quietly(), torch.inference_mode():
            (sample,) = network.test_step(pseudo_collate([load({"img": np.ascontiguousarray(image[..., ::-1])})]))
        return np.asarray(sample.pred_sem_seg.data.squeeze(0).cpu(), np.int64)

    return predict


def _segmentor(design: Design, state: dict[str, Tensor], recipe: Recipe) -> Any:
    network = MODELS.build(ConfigDict(model(design, recipe)))
    network.load_state_dict(to_segmentor_state(state), strict=True)
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


@contextmanager
def _quietly() -> Iterator[None]:
    """The registry scope of mmsegmentation, without the warnings of its own defaults and its own tables of scores."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
