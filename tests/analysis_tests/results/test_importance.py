"""Which axes decide."""

from random import Random

import pytest

from analysis.results.importance import LEAST, importance


def test_the_axis_that_the_loss_depends_on_has_the_importance() -> None:
    random = Random(0)
    labels = [{"width": random.choice("abcd"), "depth": random.choice("xyz")} for _ in range(200)]
    losses = [ord(one["width"]) + random.random() for one in labels]
    found = importance(labels, losses)
    assert found is not None
    assert list(found.shares) == ["width", "depth"]
    assert found.shares["width"] > 0.9
    assert sum(found.shares.values()) == pytest.approx(1)
    assert (found.best, found.trials) == (20, 200)


def test_the_divergence_is_that_of_the_shares() -> None:
    # Ten trials, the five best all `a`: with one more of each label (5 + 1) / 7 and 1 / 7 against 6 / 12 and 6 / 12.
    labels = [{"x": "a" if number < 5 else "b", "y": "ab"[number % 2]} for number in range(10)]
    found = importance(labels, list(range(10)))
    assert found is not None
    x = 0.5 * ((6 / 7) / 0.5 - 1) ** 2 + 0.5 * ((1 / 7) / 0.5 - 1) ** 2
    y = 0.5 * ((4 / 7) / 0.5 - 1) ** 2 + 0.5 * ((3 / 7) / 0.5 - 1) ** 2
    assert found.shares["x"] == pytest.approx(x / (x + y))


def test_an_axis_that_some_designs_lack_is_a_label_of_its_own() -> None:
    labels = [{"x": "a"} if number < 5 else {} for number in range(12)]
    found = importance(labels, list(range(12)))
    assert found is not None
    assert found.shares == {"x": 1.0}


def test_nothing_is_said_of_few_trials_or_of_one_label() -> None:
    assert importance([{"x": "a"}] * (LEAST - 1), [1.0] * (LEAST - 1)) is None
    found = importance([{"x": "a"}] * LEAST, list(range(LEAST)))
    assert found is not None
    assert found.shares == {"x": 0.0}
