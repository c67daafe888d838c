"""The two parts of an error: what all designs on a device share, and what is of a single design."""

import numpy as np
import pytest

from search_space.candidate import Candidate
from search_space.cost.table import sums
from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.latency.joint_error import directions, shared_and_own
from search_space.latency.model import DeviceModel
from search_space.latency.predictive_spread import PredictiveSpread
from search_space.spaces.space import space
from topformer.presets import SMALL, TINY

NORMAL, SPREAD = 1.959964, PredictiveSpread(
    left_out=0.04, degrees=10_000_000, unmeasured=0.3, unmeasured_degrees=10_000_000, extrapolation=0.2,
    own=0.0004, own_degrees=10_000_000,
)  # fmt: skip


@pytest.fixture(scope="module", params=devices())
def model(request: pytest.FixtureRequest) -> DeviceModel:
    return device(request.param)


def test_both_parts_together_give_the_interval(model: DeviceModel) -> None:
    table = model.estimate_many(space("paper").sample(0, 100), boundary="argmax")
    assert NORMAL * np.hypot(table.shared_sd, table.own_sd) == pytest.approx(np.log(table.high / table.milliseconds))


def test_presets_share_most_of_their_error(model: DeviceModel) -> None:
    table = model.estimate_many([Candidate(design=each, height=512, width=512) for each in (TINY, SMALL)])
    assert (table.shared_sd > table.own_sd).all()
    # Tiny stands for all designs: of its own is the scatter alone.
    assert table.own_sd[0] <= table.own_sd[1]


def test_the_causes_add_up_to_the_variances_of_the_spread(model: DeviceModel) -> None:
    candidates = space("paper").sample(0, 100)
    features, ending = sums(candidates, model.feature_extractor), np.linspace(0, 50, 100)
    table = model.predict(features, ending)
    assert (model.directions(features, ending) ** 2).sum(axis=1) == pytest.approx(table.sd_log**2)


def test_networks_that_spend_their_time_alike_share_all_but_the_scatter() -> None:
    features = np.array([[1, 0, 2, 0, 0] + [0] * 5, [3, 0, 6, 0, 0] + [0] * 5, [0, 5, 0, 0, 0] + [0] * 5], dtype=float)
    variances = (0.04, np.zeros(3), np.zeros(3))
    shared, own = shared_and_own(rows := directions(features, 0.0, np.ones(5), variances), rows[0], SPREAD)
    # All is of measured kernels, 0.2: the second is three times the first, the third shares no feature with it.
    assert shared == pytest.approx([np.sqrt(0.04 - 0.0004), np.sqrt(0.04 - 0.0004), 0.0], abs=1e-4)
    assert own == pytest.approx([0.02, 0.02, 0.2], abs=1e-4)


def test_what_comes_after_the_logits_is_the_same_in_every_design() -> None:
    features, uncovered = np.array([[1.0, 0, 2, 0, 0] + [0] * 5]), np.array([0.9])
    variances = (SPREAD.left_out, 0.3 * uncovered, np.zeros(1))
    plain = directions(features, 0.0, np.ones(5), (SPREAD.left_out, np.zeros(1), np.zeros(1)))
    shared, own = shared_and_own(directions(features, 27.0, np.ones(5), variances), plain[0], SPREAD)
    assert own == pytest.approx([0.02], abs=1e-4)
    assert shared == pytest.approx([np.sqrt(0.04 + 0.27 - 0.0004)], abs=1e-4)
