"""A protocol measures something."""

import pytest

from experiments.measure.protocol import Protocol
from topformer.errors import InputError


@pytest.mark.parametrize("wrong", [{"runs": 4}, {"warmup": 0}, {"repeats": -1}, {"seconds": 0.0}, {"timeout": -1.0}])
def test_a_protocol_that_measures_nothing_is_refused(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} must be"):
        Protocol(**wrong)  # type: ignore[arg-type]
