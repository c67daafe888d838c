"""The Gaussian process against two designs worked out by hand, and against the textbook's equations."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.search.ehvi.gaussian_process import Inputs, Kernel, Posterior, fitted, initial

TWO = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
"""Squared distances of two labels, and of "does not apply"."""


def kernel(**scales: float) -> Kernel:
    zero = {"trend": 0.0, "effects": 0.0, "pairs": 0.0, "interaction": 0.0, "noise": 0.0}
    return Kernel((TWO, TWO), np.array([1.0, 1.0]), **{**zero, **scales})


def inputs(*rows: tuple[int, int], trend: tuple[float, ...] = ()) -> Inputs:
    return Inputs(np.array(rows, dtype=np.int16), np.array(trend or [0.0] * len(rows)).reshape(-1, 1))


SIMILAR = np.exp(-0.5)


@pytest.mark.parametrize(
    ("scales", "expected"),
    [
        ({"effects": 2.0}, 2 * (1 + SIMILAR) / 2),
        ({"pairs": 2.0}, 2 * SIMILAR),
        ({"interaction": 2.0}, 2 * SIMILAR),
        ({"trend": 2.0}, 2 * (1 + 3 * 5) / 2),
    ],
)
def test_covariance_of_two_designs_that_differ_in_one_label(scales: dict[str, float], expected: float) -> None:
    pair = inputs((0, 0), (0, 1), trend=(3.0, 5.0))
    found = kernel(**scales).covariances(pair.at([0]), pair.at([1]))
    assert found == pytest.approx(np.array([[expected]]), rel=1e-6)


def test_an_axis_that_does_not_apply_has_a_distance_of_its_own() -> None:
    pair = inputs((0, -1), (0, 1))
    found = kernel(interaction=1.0).covariances(pair, pair)
    assert found == pytest.approx(np.array([[1, SIMILAR], [SIMILAR, 1]]), rel=1e-6)


def test_variance_is_the_covariance_of_a_design_with_itself() -> None:
    some = inputs((0, 0), (0, 1), (1, -1), trend=(-1.0, 0.0, 2.0))
    full = kernel(trend=0.5, effects=0.7, pairs=0.4, interaction=0.2, noise=0.1)
    assert full.variances(some) == pytest.approx(np.diag(full.covariances(some, some)), rel=1e-5)


def test_posterior_of_one_observation_by_hand() -> None:
    """Prior variance 1, noise 0.25, value 2: the mean of the design is 2 / 1.25, of the other that times exp(-1/2)."""
    posterior = Posterior(kernel(interaction=1.0, noise=0.25), inputs((0, 0), (0, 1)))
    posterior.observe(0, 2.0)
    assert posterior.mean == pytest.approx([1.6, 1.6 * SIMILAR], rel=1e-6)
    assert posterior.variance == pytest.approx([1 - 1 / 1.25, 1 - SIMILAR**2 / 1.25], rel=1e-6)


def everything() -> tuple[Kernel, Inputs, list[int], np.ndarray]:
    random = np.random.default_rng(0)
    designs = Inputs(random.integers(-1, 2, (40, 2)).astype(np.int16), random.normal(size=(40, 1)))
    observed = [3, 17, 17, 25, 0, 9, 31, 12, 5, 20, 38]
    some = kernel(trend=0.4, effects=0.5, pairs=0.3, interaction=0.2, noise=0.1)
    return some, designs, observed, random.normal(size=len(observed))


def textbook(some: Kernel, designs: Inputs, observed: list[int], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """GPML, equations 2.25 and 2.26."""
    among = some.covariances(designs.at(observed), designs.at(observed)) + some.noise * np.eye(len(observed))
    across = some.covariances(designs, designs.at(observed))
    explained = np.einsum("ij,ji->i", across, np.linalg.solve(among, across.T))
    return across @ np.linalg.solve(among, values), some.variances(designs) - explained


@pytest.mark.parametrize("at_once", [0, 5, 11])
def test_posterior_is_the_textbooks_however_the_observations_come(at_once: int) -> None:
    some, designs, observed, values = everything()
    posterior = Posterior(some, designs)
    if at_once:
        posterior.restart(observed[:at_once], values[:at_once].tolist())
    for place, value in zip(observed[at_once:], values[at_once:].tolist(), strict=True):
        posterior.observe(place, value)
    mean, variance = textbook(some, designs, observed, values)
    assert posterior.mean == pytest.approx(mean, abs=1e-4)
    assert posterior.variance == pytest.approx(variance, abs=1e-4)


def test_believed_designs_keep_their_means_lose_their_doubt_and_leave_no_trace() -> None:
    some, designs, observed, values = everything()
    posterior = Posterior(some, designs)
    posterior.restart(observed, values.tolist())
    mean, variance = posterior.mean.copy(), posterior.variance.copy()
    believed_mean, believed_variance = posterior.believe([7, 8])
    assert believed_mean == pytest.approx(mean, abs=1e-5)
    assert (believed_variance[[7, 8]] < 0.7 * variance[[7, 8]]).all()
    assert (believed_variance < variance + 1e-6).all()
    assert posterior.mean.tolist() == mean.tolist()
    assert posterior.variance.tolist() == variance.tolist()
    posterior.observe(30, 1.0)
    expected = textbook(some, designs, [*observed, 30], np.append(values, 1.0))[0]
    assert posterior.mean == pytest.approx(expected, abs=1e-4)


def drawn(noise: float, *, observations: int = 150) -> tuple[Kernel, Inputs, np.ndarray]:
    """Values whose first axis decides, the second does not matter, and noise of that standard deviation."""
    random = np.random.default_rng(1)
    line = (np.subtract.outer(np.arange(8), np.arange(8)) / 7.0) ** 2
    tables = tuple(np.pad(line, (0, 1), constant_values=1.0) for _ in range(2))
    choices = random.integers(0, 8, (observations, 2)).astype(np.int16)
    values = np.sin(choices[:, 0]) + random.normal(0, noise, observations)
    return initial(tables), Inputs(choices, np.zeros((observations, 1))), values


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_the_noise_is_learnt(noise: float) -> None:
    start, designs, values = drawn(noise)
    scale = values.std()
    found = fitted(start, designs, (values - values.mean()) / scale)
    found = fitted(found, designs, (values - values.mean()) / scale)
    assert np.sqrt(found.noise) * scale == pytest.approx(noise, rel=0.25)


def test_a_given_noise_is_kept() -> None:
    start, designs, values = drawn(0.4)
    assert fitted(start, designs, values, 0.03).noise == pytest.approx(0.03)


def test_the_axis_that_matters_gets_the_shorter_length() -> None:
    start, designs, values = drawn(0.1)
    short, long = fitted(start, designs, values).lengths
    assert 2 * short < long


def test_fit_is_a_maximum_along_every_scale() -> None:
    """The density at the fit, with a textbook's formula and the prior's own width, falls to both sides."""
    start, designs, values = drawn(0.3, observations=60)
    found = start
    for _ in range(4):
        found = fitted(found, designs, values)

    def evidence(some: Kernel) -> float:
        among = some.covariances(designs, designs).astype(float) + some.noise * np.eye(len(values))
        return float(-0.5 * values @ np.linalg.solve(among, values) - 0.5 * np.linalg.slogdet(among)[1])

    best = evidence(found)
    for factor in (0.2, 5.0):
        assert evidence(replace(found, noise=found.noise * factor)) < best
