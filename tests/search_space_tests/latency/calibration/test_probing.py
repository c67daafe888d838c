"""The designs that are chosen to be measured decide more of the others than designs drawn at random."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from search_space.latency.calibration.probing import PredictiveCovariance, choose, predictive_covariance
from search_space.latency.coefficients import NOISE, Coefficients
from search_space.latency.predictive_spread import Floats
from search_space.spaces.space import space
from topformer.errors import InputError

PHONE = device("snapdragon-865")
LIMIT = 55.0


@pytest.fixture(scope="module")
def designs() -> list[Candidate]:
    return space("paper").sample(0, 1000)


def test_the_doubt_is_the_interval_of_the_model(designs: list[Candidate]) -> None:
    table, errors = PHONE.estimate_many(designs), predictive_covariance(PHONE, designs, LIMIT)
    assert np.exp(errors.margin) * LIMIT == pytest.approx(table.milliseconds)
    assert 1.959964 * np.sqrt(errors.variance) == pytest.approx(np.log(table.high / table.milliseconds), rel=1e-5)


def test_an_error_without_any_measurement_is_the_chance_of_the_other_side() -> None:
    # Variances of 0.04 - NOISE^2 and NOISE^2 make 0.2; a margin of -0.3 is 1.5 of them: Phi(-1.5) = 0.0668.
    errors = PredictiveCovariance(margin=np.array([-0.3, 0.0]), systematic=np.full((2, 1), np.sqrt(0.04 - NOISE**2)))
    assert errors.error(np.zeros(2)) == pytest.approx([0.0668072, 0.5])


def test_an_expected_error_is_that_of_a_simulation() -> None:
    errors = PredictiveCovariance(margin=np.array([0.1]), systematic=np.array([[np.sqrt(0.04 - NOISE**2)]]))
    predicted = 0.03
    generator = np.random.default_rng(0)
    mean = 0.1 + np.sqrt(predicted) * generator.normal(size=400_000)
    truth = mean + np.sqrt(0.04 - predicted) * generator.normal(size=400_000)
    assert errors.error(np.array([predicted]))[0] == pytest.approx(float(np.mean((mean > 0) != (truth > 0))), abs=0.002)


def test_full_knowledge_leaves_no_error() -> None:
    errors = PredictiveCovariance(margin=np.array([0.1]), systematic=np.array([[0.2]]))
    assert errors.error(errors.variance) == pytest.approx([0])


def wrong(errors: PredictiveCovariance, truth: Floats, measured: list[int]) -> int:
    """Designs on the wrong side once the log errors of the measured ones are known."""
    rows = errors.systematic[measured]
    gram = rows @ rows.T + NOISE**2 * np.eye(len(measured))
    after = errors.systematic @ rows.T @ np.linalg.solve(gram, truth[measured])
    return int(((errors.margin + after > 0) != (errors.margin + truth > 0)).sum())


def test_five_chosen_leave_fewer_wrong_decisions_than_five_at_random(designs: list[Candidate]) -> None:
    plan, errors = choose(PHONE, designs, LIMIT), predictive_covariance(PHONE, designs, LIMIT)
    places = {one.fingerprint: place for place, one in enumerate(designs)}
    chosen = [places[probe.candidate.fingerprint] for probe in plan.probes]
    before, after, at_random = [], [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        truth = errors.systematic @ generator.normal(size=errors.systematic.shape[1])
        truth = truth + NOISE * generator.normal(size=len(designs))
        before.append(int(((errors.margin > 0) != (errors.margin + truth > 0)).sum()))
        after.append(wrong(errors, truth, chosen))
        at_random += [wrong(errors, truth, generator.choice(len(designs), 5, replace=False).tolist()) for _ in range(5)]
    assert np.mean(after) < 0.95 * np.mean(at_random)
    # What the plan promises is what came true, within the noise of 40 devices.
    assert np.mean(before) == pytest.approx(plan.wrong, rel=0.2)
    assert np.mean(after) == pytest.approx(plan.probes[-1].wrong, rel=0.2)


def test_one_chosen_scales_a_device_of_other_rates_better_than_one_at_random(designs: list[Candidate]) -> None:
    best = designs.index(choose(PHONE, designs, LIMIT, budget=1).probes[0].candidate)
    predicted = PHONE.estimate_many(designs).milliseconds
    after, at_random = [], []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        coefficients = Coefficients(*(np.array(PHONE.coefficients) * np.exp(generator.normal(0, 0.15, 5))).tolist())
        times = replace(PHONE, coefficients=coefficients).estimate_many(designs).milliseconds
        # The phone scaled to what one design takes on the true device, against the true times.
        wrong = [
            int(((predicted * times[i] / predicted[i] > LIMIT) != (times > LIMIT)).sum()) for i in range(len(designs))
        ]
        after.append(wrong[best])
        at_random += wrong
    assert np.mean(after) < 0.9 * np.mean(at_random)


def test_every_probe_leaves_less_and_none_is_chosen_twice(designs: list[Candidate]) -> None:
    plan = choose(PHONE, designs, LIMIT, budget=4)
    left = [plan.wrong, *(probe.wrong for probe in plan.probes)]
    assert left == sorted(left, reverse=True)
    assert len({probe.candidate.fingerprint for probe in plan.probes}) == 4


def test_the_first_expected_number_is_the_sum_of_the_chances(designs: list[Candidate]) -> None:
    table = PHONE.estimate_many(designs)
    sd = np.log(table.high / table.milliseconds) / 1.959964
    chances = norm.cdf(-np.abs(np.log(table.milliseconds / LIMIT)) / sd)
    assert choose(PHONE, designs, LIMIT, budget=1).wrong == pytest.approx(chances.sum(), rel=1e-4)


@pytest.mark.parametrize(("limit", "budget", "message"), [(0.0, 1, "above 0 ms"), (9.0, 5, "at most the 4 designs")])
def test_what_cannot_be_planned_is_refused(designs: list[Candidate], limit: float, budget: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(PHONE, designs[:4], limit, budget=budget)
