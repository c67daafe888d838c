"""The numbers behind an interval are those of the devices' rows."""

import numpy as np
import pytest

from search_space.latency.calibration.devices import device
from search_space.latency.predictive_spread import OWN, OWN_DEGREES, pooled


def test_the_scatter_of_single_networks_is_that_of_seven_families_of_one_device() -> None:
    rows = device("snapdragon-855").rows
    errors = np.log([row.measured_ms / (row.family_out_ms or row.left_out_ms) for row in rows])
    families = [row.family for row in rows]
    groups = [errors[[one == name for one in families]] for name in dict.fromkeys(families)]
    squares = sum(np.var(own) * len(own) for own in groups)
    assert len(rows) - len(set(families)) == OWN_DEGREES
    assert squares / OWN_DEGREES == pytest.approx(OWN, rel=0.01)


def test_groups_of_one_say_nothing_of_the_scatter() -> None:
    assert pooled(np.array([0.5, -0.3]), ["a", "b"]) == pytest.approx((OWN, OWN_DEGREES))


def test_a_scatter_is_pooled_with_what_is_known_of_it() -> None:
    # Around means of 0.2 and 0: squares of 2 * 0.1^2 with one more degree of freedom.
    found = pooled(np.array([0.1, 0.3, 0.0]), ["a", "a", "b"])
    assert found == pytest.approx(((OWN_DEGREES * OWN + 0.02) / (OWN_DEGREES + 1), OWN_DEGREES + 1))
