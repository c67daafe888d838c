"""Photometric distortion in plain torch: the same colours and the same distribution as mmsegmentation's on OpenCV."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from experiments.training.lean.distort import Distortion, distorted, from_hsv, to_hsv
from topformer.mmseg import quiet

with quiet():
    from mmseg.datasets.transforms import PhotoMetricDistortion


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    """A smooth image of 64 columns, which OpenCV works on as one block."""
    small = np.random.default_rng(0).integers(0, 256, (12, 6, 3), dtype=np.uint8)
    return torch.from_numpy(cv2.resize(small, (64, 120), interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def test_distorted_colours_are_distributed_as_mmsegmentations(image: torch.Tensor) -> None:
    count = 400
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    transform = PhotoMetricDistortion()
    # It works on blue, green, red.
    theirs = [
        transform.transform({"img": image.numpy()[..., ::-1].copy()})["img"][..., ::-1].copy() for _ in range(count)
    ]
    np.random.set_state(state)  # noqa: NPY002
    how = Distortion.draw(np.random.default_rng(0), count)
    ours = distorted(image[None].expand(count, *image.shape), how)
    for measure in (brightness, contrast, saturation, redness):
        first, second = ([measure(torch.as_tensor(item).double()) for item in items] for items in (theirs, ours))
        assert ks_2samp(first, second).pvalue > 0.01, measure.__name__
        assert np.mean(first) == pytest.approx(np.mean(second), abs=4 * np.std(first) * np.sqrt(2 / count))


def brightness(image: torch.Tensor) -> float:
    return float(image.mean())


def contrast(image: torch.Tensor) -> float:
    return float(image.mean(dim=-1).std())


def saturation(image: torch.Tensor) -> float:
    return float((image.amax(-1) - image.amin(-1)).mean())


def redness(image: torch.Tensor) -> float:
    return float((image[..., 0] - image[..., 1]).mean())


@pytest.mark.parametrize("late", [False, True])
def test_a_distortion_is_that_of_mmsegmentation_with_the_same_draws(image: torch.Tensor, late: bool) -> None:
    how = Distortion(
        brightness=np.array([17.5]),
        contrast=np.array([1.3]),
        late=np.array([late]),
        saturation=np.array([0.7]),
        hue=np.array([-11.0]),
    )
    found = distorted(image[None], how)[0].numpy()[..., ::-1].astype(int)
    theirs = by_photometric_distortion(image.numpy()[..., ::-1].copy(), how).astype(int)
    # OpenCV's tables round a hue in fifty to the other side, and a step of hue is up to 8.5 grey levels.
    assert np.abs(found - theirs).mean() < 0.4
    assert np.abs(found - theirs).max() <= 12


def by_photometric_distortion(image: NDArray[np.uint8], how: Distortion) -> NDArray[np.uint8]:
    """Its steps with fixed numbers, in its order."""
    transform: Any = PhotoMetricDistortion()
    image = transform.convert(image, beta=float(how.brightness[0]))
    if not how.late[0]:
        image = transform.convert(image, alpha=float(how.contrast[0]))
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[:, :, 1] = transform.convert(hsv[:, :, 1], alpha=float(how.saturation[0]))
    hsv = cv2.cvtColor(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), cv2.COLOR_BGR2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + int(how.hue[0])) % 180
    found: NDArray[np.uint8] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.uint8)
    return np.asarray(transform.convert(found, alpha=float(how.contrast[0]))) if how.late[0] else found


def test_colours_go_to_hue_and_back() -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (50, 128, 3), dtype=np.uint8)
    hsv = random.integers(0, (180, 256, 256), (50, 128, 3), dtype=np.uint8)
    for ours, theirs in (
        (to_hsv(torch.from_numpy(colours).float()), cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)),
        (from_hsv(torch.from_numpy(hsv).float()), cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)),
    ):
        # OpenCV's own tables round one colour in fifty to the other side.
        apart = (ours - torch.from_numpy(theirs)).abs()
        assert (apart > 0).float().mean() < 0.03
        assert torch.minimum(apart, 180 - apart).max() <= 1


def test_without_draws_nothing_is_distorted(image: torch.Tensor) -> None:
    still = Distortion(
        brightness=np.zeros(1), contrast=np.ones(1), late=np.array([True]), saturation=np.ones(1), hue=np.zeros(1)
    )
    assert torch.equal(distorted(image[None], still)[0], image)
