"""A data set for the lean loop: its splits, decoded once and kept, and the batches of a recipe."""

from pathlib import Path
from typing import Any

import torch

from experiments.data.folders import TRAINING, SegmentationFolder
from experiments.training.lean.batches import Batches, Pixels
from experiments.training.lean.crops import Crops
from experiments.training.lean.data import load_mixed, load_pixels, read_sizes
from experiments.training.lean.pixels import Mixed, Sizes
from experiments.training.lean.resize import into, to_multiple
from experiments.training.recipes import Recipe


class Decoded:
    """The splits of a folder, each decoded when it is first asked for.

    Args:
        folder: The data set.
        cache: Folder of decoded files, shared by the processes of a machine; in the memory of this one without it.
        stacked: Whether images of one size that fill the network's input are kept as one array, which is faster to cut
            batches from; where sizes differ, or colours are to be distorted, batches are cut one by one.
    """

    def __init__(self, folder: SegmentationFolder, *, cache: Path | None = None, stacked: bool = False) -> None:
        self.folder, self.cache, self.stacked = folder, cache, stacked
        self._splits: dict[tuple[str, bool], Pixels | Mixed] = {}
        self._sizes: dict[str, Sizes] = {}

    def split(self, name: str, recipe: Recipe, device: torch.device) -> Pixels | Mixed:
        """A split as a recipe needs it.

        Raises:
            DataError: An image cannot be read, or a label is no class.
            StorageError: The cache cannot be written.
        """
        if name not in self._sizes:
            self._sizes[name] = read_sizes(self.folder.pairs(name))
        sizes = self._sizes[name]
        stack = self.stacked and not (recipe.distort and name == TRAINING) and _fill(sizes, recipe)
        if (name, stack) not in self._splits:
            load = load_pixels if stack else load_mixed
            self._splits[name, stack] = load(self.folder, name, device, self.cache, sizes)
        return self._splits[name, stack]

    def batches(self, recipe: Recipe, seed: int, device: torch.device) -> Batches | Crops:
        """The training batches of a recipe.

        Raises:
            DataError, StorageError: As for `split`.
        """
        pixels = self.split(TRAINING, recipe, device)
        common: dict[str, Any] = {
            "batch": recipe.batch,
            "seed": seed,
            "height": recipe.crop[0],
            "width": recipe.crop[1],
            "flip": recipe.flip,
        }
        if isinstance(pixels, Pixels):
            return Batches(pixels=pixels, scales=recipe.factors, **common)
        return Crops(
            pixels=pixels,
            scale=recipe.scale,
            factors=recipe.factors,
            share=recipe.crop_share,
            distort=recipe.distort,
            **common,
        )


def _fill(sizes: Sizes, recipe: Recipe) -> bool:
    """Whether all images have one size, and resizing with their ratio kept gives exactly the network's input.

    Otherwise a stack would squeeze them, and the score would not be mmsegmentation's.
    """
    if not sizes.equal:
        return False
    kept = into(int(sizes.heights[0]), int(sizes.widths[0]), *recipe.evaluation_scale)
    return tuple(to_multiple(n, recipe.size_divisor) for n in kept) == tuple(recipe.crop)
