"""A trained supernet: the designs that it holds, as networks that stand alone, and their scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from math import ceil
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from experiments.data.folders import VALIDATION, SegmentationFolder
from experiments.files import difference
from experiments.training.claim import data_identity
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.validation import validate
from experiments.training.outcome import RESULT, WEIGHTS
from experiments.training.recipes import SCRATCH, Recipe, with_size
from experiments.training.scores import Scores, scores
from experiments.training.supernet.train import SUPERNET, VERSION, rebuilt
from search_space.candidate import Candidate
from search_space.spaces.space import Space
from topformer.design import Design
from topformer.errors import CheckpointError, StudyError
from topformer.files import read_object
from topformer.network import TopFormer
from topformer.weights.plain import check_finite, load_plain
from topformer.weights.statistics import recalibrate
from topformer.weights.store import Store

RECALIBRATION = 256
"""Images whose statistics BatchNorm takes, where nothing says otherwise."""
_BATCH = 32
"""Images that are taken together in recalibration and validation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supernet:
    """A supernet as a training left it.

    Attributes:
        folder: Where it lies.
        space: The designs that it holds.
        store: Its parameters.
        data: What it was trained on, see `data_identity`.
        recipe: Size, flips and factors of its training images; batches are those of the recalibration.
        digest: What tells it from another, wherever it lies.
    """

    folder: Path
    space: Space
    store: Store
    data: Mapping[str, Any]
    recipe: Recipe
    digest: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The supernet that `topformer supernet train` left in a folder.

        Raises:
            StudyError: There is none, or its training has not ended.
            CheckpointError: Its weights cannot be read.
            StorageError: Its description cannot be read.
        """
        about = _about(folder)
        content = load_plain(folder / WEIGHTS, map_location="cpu")
        if not isinstance(content, Mapping) or not {"axes", "values"} <= content.keys():
            raise CheckpointError(f"{folder / WEIGHTS} holds no store of a supernet")
        check_finite(content["values"], folder / WEIGHTS)
        store, wanted = Store.from_json(content["axes"], content["values"]), rebuilt(about["space"])
        trained: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in about["recipe"].items()
            if name in ("smallest_scale", "largest_scale", "distort", "flip", "cat_max_ratio")
        }
        recipe = replace(with_size(SCRATCH, wanted.base.height, wanted.base.width), batch=_BATCH, **trained)
        return cls(folder=folder, space=wanted, store=store, data=about["data"], recipe=recipe, digest=store.digest())

    def check_data(self, folder: SegmentationFolder) -> None:
        """A data set is that of the training.

        Raises:
            StudyError: It is not; the message says where the two differ.
        """
        if differs := difference(self.data, data_identity(folder)):
            raise StudyError(
                f"the supernet in {self.folder} was trained on another data set than {folder.root}: {differs}"
            )

    def own(self, candidate: Candidate) -> Candidate:
        """A candidate in canonical form, with the classes of the supernet.

        Raises:
            StudyError: The supernet does not hold it; the message names the size, or the first axis that has no label
                for it.
        """
        base = self.space.base
        if (candidate.height, candidate.width) != (base.height, base.width):
            raise StudyError(
                f"the supernet in {self.folder} was trained at {base.height}x{base.width} px, the design is wanted at "
                f"{candidate.height}x{candidate.width}"
            )
        design = replace(candidate.design, num_classes=base.design.num_classes)
        found = replace(candidate, design=design).canonical()
        if found in self.space:
            return found
        where = f"space {self.space.name} of the supernet in {self.folder}"
        for axis in self.space.axes:
            if axis.applies(found) and axis.label_of(found) is None:
                raise StudyError(f"{where} does not hold the design: axis {axis.name!r} has {', '.join(axis.labels)}")
        odd = sorted(_differing(found.design, base.design) - _varied(self.space))
        raise StudyError(f"{where} does not hold the design: no axis varies its {' and '.join(odd) or 'combination'}")

    def network(
        self, candidate: Candidate, data: Decoded, *, images: int, seed: int, device: torch.device
    ) -> TopFormer:
        """A network of a design with its part of the weights, and statistics of BatchNorm recalibrated for it.

        Args:
            candidate: The design.
            data: The data set of the training.
            images: Training images of the recalibration, at least 2.
            seed: Which images, and how they are flipped.
            device: Where it runs.

        Returns:
            The network, in evaluation mode.

        Raises:
            StudyError: As for `own`.
        """
        with torch.random.fork_rng(devices=()):
            network = TopFormer(self.own(candidate).design)
        parts = self.store.cut(network)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(parts[name])
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        recalibrate(network, self._images(data, images, seed, device))
        return network

    def _images(self, data: Decoded, images: int, seed: int, device: torch.device) -> Iterator[Tensor]:
        recipe = replace(self.recipe, batch=min(_BATCH, images))
        batches = data.batches(recipe, seed, device)
        yield from (batches[i][0] for i in range(ceil(images / recipe.batch)))

    def score(self, network: TopFormer, data: Decoded, device: torch.device) -> Scores:
        """The scores of a network on the validation split.

        Raises:
            EvaluationError: It gives logits that are not finite.
        """
        return scores(validate(network, data.split(VALIDATION, self.recipe, device), self.recipe, device))


def _differing(one: Design, other: Design) -> set[str]:
    """Fields in which two designs differ."""
    return {item.name for item in fields(Design) if getattr(one, item.name) != getattr(other, item.name)}


def _varied(wanted: Space) -> set[str]:
    """Fields that the axes of a space vary around its base."""
    base = wanted.base
    axes = (axis for axis in wanted.axes if axis.applies(base))
    made = (axis.apply(base, value).design for axis in axes for value in axis.choices.values())
    return {name for design in made for name in _differing(design, base.design)}


def _about(folder: Path) -> dict[str, Any]:
    if not (folder / SUPERNET).is_file():
        raise StudyError(f"{folder} holds no supernet ({SUPERNET} is not there); `topformer supernet train` makes one")
    if not ((folder / WEIGHTS).is_file() and (folder / RESULT).is_file()):
        raise StudyError(f"the training of the supernet in {folder} has not ended; the same command goes on with it")
    about = read_object(folder / SUPERNET)
    if about.get("version") != VERSION:
        raise StudyError(
            f"{folder / SUPERNET}: version must be {VERSION!r}, got {about.get('version')!r}: the same settings give "
            "other weights since then; train it again"
        )
    return about


def data_of(folder: Path) -> Path:
    """Where the data set of a supernet's training lay.

    Raises:
        StudyError: There is no supernet, its training has not ended, or the data are no longer there.
    """
    _about(folder)
    found = Path(read_object(folder / RESULT).get("data", ""))
    if not found.is_dir():
        raise StudyError(f"the data set of the supernet in {folder} lay in {found}, where it is no longer; name --data")
    return found
