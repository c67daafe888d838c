"""How long a worker may be silent."""

import time

from experiments.engines.silence import Silence


def test_the_limit_follows_the_pace_of_the_evaluation() -> None:
    silence = Silence(least=0.0, factor=10.0)
    time.sleep(0.05)
    silence.heard()
    assert 0.5 <= silence.limit < 5
    assert not silence.is_too_long
    silence.begin()
    assert silence.limit == 0.0


def test_what_is_excused_says_nothing_about_the_pace() -> None:
    silence = Silence(least=0.01)
    time.sleep(0.05)
    assert silence.is_too_long
    silence.excuse()
    assert not silence.is_too_long
    assert silence.limit == 0.01
