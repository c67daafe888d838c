"""Training batches of images that differ in size, cut and distorted on their device as mmsegmentation does it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.data.folders import IGNORED
from experiments.training.lean.batches import AUGMENTATION, normalised, order
from experiments.training.lean.distort import Distortion, distorted
from experiments.training.lean.pixels import Mixed
from experiments.training.lean.resize import Numbers, columns_axis, into, mixed_columns, mixed_rows, rows_axis

TRIES = 11
"""Crops of an image that are drawn at most; the last is taken whatever it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Where the crops of a batch come from; every array is (B,), but `tops` and `lefts`, which are (B, TRIES).

    Attributes:
        numbers: Of the images.
        heights: Of the resized images.
        widths: Of the resized images.
        tops: First rows of the crops that may be tried, in the resized image.
        lefts: First columns.
        flipped: Whether the crop is mirrored.
    """

    numbers: Numbers
    heights: Numbers
    widths: Numbers
    tops: Numbers
    lefts: Numbers
    flipped: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Augmented batches of a mixed split; iteration i of a seed is always the same batch.

    The steps are mmsegmentation's: resize into a scale times a random factor, crop (again where one class fills more
    than its share), flip, distort, normalise, and pad at the right and below with 0 and 255.

    Attributes:
        pixels: The training split.
        batch: Images per iteration.
        seed: Of order and augmentation.
        height: Height of the crops.
        width: Width of the crops.
        scale: Longer and shorter side that an image is resized into, before the factor.
        factors: Least and largest factor.
        share: Share of one class above which a crop is drawn again; 1 takes the first.
        flip: Probability of a horizontal flip.
        distort: Whether colours are distorted.
    """

    pixels: Mixed
    batch: int
    seed: int
    height: int
    width: int
    scale: tuple[int, int]
    factors: tuple[float, float]
    share: float
    flip: float
    distort: bool

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) float32 and labels (B, H, W) uint8 of one iteration."""
        random = np.random.default_rng([AUGMENTATION, self.seed, iteration])
        windows = self.windows(iteration, random)
        how = Distortion.draw(random, self.batch) if self.distort else None
        images, labels, inside = self.cut(windows, self.chosen(windows))
        if how is not None:
            images = distorted(images, how)
        # Padding is 0 behind the normalisation.
        padded = normalised(images) * inside[:, None]
        return padded, torch.where(inside, labels, IGNORED)

    def windows(self, iteration: int, random: np.random.Generator) -> Windows:
        """The draws of an iteration."""
        numbers = order(len(self.pixels), self.batch, self.seed, iteration)
        factors = random.uniform(*self.factors, size=self.batch)
        heights, widths = self.pixels.heights[numbers], self.pixels.widths[numbers]
        resized = np.array(
            [
                into(h, w, int(self.scale[0] * factor), int(self.scale[1] * factor))
                for h, w, factor in zip(heights.tolist(), widths.tolist(), factors, strict=True)
            ]
        )
        room = np.maximum(resized - (self.height, self.width), 0)
        tops, lefts = (random.integers(0, room[:, axis, None] + 1, size=(self.batch, TRIES)) for axis in (0, 1))
        flipped = random.random(self.batch) < self.flip
        return Windows(
            numbers=numbers, heights=resized[:, 0], widths=resized[:, 1], tops=tops, lefts=lefts, flipped=flipped
        )

    def chosen(self, windows: Windows) -> Numbers:
        """The try that is taken of every image: the first that shows enough classes, else the last."""
        taken = np.zeros(self.batch, np.int64)
        open_ = np.arange(self.batch) if self.share < 1 else np.arange(0)
        for number in range(TRIES - 1):
            if not len(open_):
                break
            labels, inside = self._labels(windows, taken, open_)
            open_ = open_[self._uniform(torch.where(inside, labels, IGNORED))]
            taken[open_] = number + 1
        return taken

    def _uniform(self, labels: Tensor) -> NDArray[np.bool_]:
        """Which of the crops (B, H, W) are filled by one class beyond its share, or show a single one."""
        counts = torch.zeros((len(labels), 256), dtype=torch.int64, device=labels.device)
        flat = labels.flatten(1).long()
        counts.scatter_add_(1, flat, torch.ones((1, 1), dtype=torch.int64, device=labels.device).expand(flat.shape))
        counts[:, IGNORED] = 0
        largest, total = counts.amax(1), counts.sum(1)
        enough = ((counts > 0).sum(1) > 1) & (largest.double() / total.clamp(min=1) < self.share)
        found: NDArray[np.bool_] = (~enough).cpu().numpy()
        return found

    def cut(self, windows: Windows, taken: Numbers) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (B, H, W, 3) and labels (B, H, W), uint8, and where the image is, (B, H, W); elsewhere all is void."""
        plan = self._plan(windows, taken, np.arange(self.batch))
        rows = [self._rows(plan, name) for name in ("first", "second")]
        columns = [self._columns(plan, name) for name in ("first", "second")]
        weights = (
            plan["columns first_weight"].int()[:, None, :, None],
            plan["columns second_weight"].int()[:, None, :, None],
        )
        top, bottom = (
            mixed_columns(self._bytes(row + columns[0])[..., :3], self._bytes(row + columns[1])[..., :3], *weights)
            for row in rows
        )
        images = mixed_rows(
            top,
            bottom,
            plan["rows first_weight"].int()[:, :, None, None],
            plan["rows second_weight"].int()[:, :, None, None],
        )
        labels = self._bytes(self._rows(plan, "nearest") + self._columns(plan, "nearest"))[..., 3]
        return images, labels, plan["rows inside"][:, :, None] & plan["columns inside"][:, None, :]

    def _labels(self, windows: Windows, taken: Numbers, which: Numbers) -> tuple[Tensor, Tensor]:
        plan = self._plan(windows, taken, which)
        labels = self._bytes(self._rows(plan, "nearest") + self._columns(plan, "nearest"))[..., 3]
        return labels, plan["rows inside"][:, :, None] & plan["columns inside"][:, None, :]

    def _rows(self, plan: dict[str, Tensor], name: str) -> Tensor:
        return plan["starts"][:, None, None] + (plan[f"rows {name}"] * plan["widths"][:, None])[:, :, None]

    def _columns(self, plan: dict[str, Tensor], name: str) -> Tensor:
        return plan[f"columns {name}"][:, None, :]

    def _bytes(self, places: Tensor) -> Tensor:
        """(..., 4) bytes of the pixels at these places."""
        return self.pixels.pixels[places].unsqueeze(-1).view(torch.uint8)

    def _plan(self, windows: Windows, taken: Numbers, which: Numbers) -> dict[str, Tensor]:
        """Positions and weights of every row and column of the crops of the images `which`, on the device."""
        found: dict[str, list[NDArray[np.generic]]] = {}
        for i in which.tolist():
            number, attempt = int(windows.numbers[i]), int(taken[i])
            height, width = int(self.pixels.heights[number]), int(self.pixels.widths[number])
            down = rows_axis(height, int(windows.heights[i])), int(windows.tops[i, attempt]), self.height, False
            across = (
                columns_axis(width, int(windows.widths[i])),
                int(windows.lefts[i, attempt]),
                self.width,
                bool(windows.flipped[i]),
            )
            for axis, (table, start, length, flipped) in (("rows", down), ("columns", across)):
                steps = np.arange(start, min(start + length, len(table.first)))
                steps = steps[::-1] if flipped else steps
                for name in table.__slots__:
                    values = np.zeros(length, np.int64)
                    values[: len(steps)] = getattr(table, name)[steps]
                    found.setdefault(f"{axis} {name}", []).append(values)
                found.setdefault(f"{axis} inside", []).append(np.arange(length) < len(steps))
        numbers = windows.numbers[which]
        plan = {name: np.stack(values) for name, values in found.items()}
        plan |= {"starts": self.pixels.starts[numbers], "widths": self.pixels.widths[numbers]}
        return {name: torch.from_numpy(values).to(self.pixels.pixels.device) for name, values in plan.items()}
