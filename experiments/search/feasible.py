"""Whether a study's limits leave any design: an impossible limit is found before the first trial."""

from collections.abc import Iterable, Mapping

from analysis.records.screened import COSTS, Screened
from experiments.search.definition import Limits
from experiments.search.ehvi.designs import LISTED, Designs
from experiments.search.screening import Screen
from search_space.candidate import Candidate
from search_space.latency.calibration.devices import device
from search_space.latency.devices import devices
from search_space.spaces.enumeration import enumerated
from search_space.spaces.space import Space
from topformer.errors import StudyError


def check_feasible(
    space: Space, limits: Limits, screen: Screen, screened: Screened, anchors: Iterable[Candidate]
) -> None:
    """Some design of the space is within the limits.

    Args:
        space: The designs.
        limits: What they may cost.
        screen: Assesses one.
        screened: What the screening found: all designs, or a sample of them.
        anchors: Designs that are tried in any case.

    Raises:
        StudyError: There is none: in the whole space where it can be listed, else among the screened designs and the
            anchors. The message says the least that each limited cost comes to.
    """
    if screened.within or any(not screen.assess(anchor).reason for anchor in anchors):
        return
    count = space.count()
    if count <= LISTED:
        designs = Designs(space, limits, screen.device)
        designs.add_listed(most=1)
        if len(designs):
            return
        least, among = _least(space, screen), f"the {count:,} designs of the space"
    else:
        least = {name: min(values) for name, values in screened.costs.items() if values}
        among = f"the {screened.designs:,} designs screened of the {count:,} in the space"
    raise StudyError(f"none of {among} is within the limits: {_beside(limits, least)}")


def _least(space: Space, screen: Screen) -> dict[str, float]:
    # A listing always has a latency; where nobody limits one, any device serves.
    found = enumerated(space, screen.device or device(devices()[0]))
    columns = (found.macs, found.parameters, found.latency.milliseconds)
    return {name: float(column.min()) for name, column in zip(COSTS, columns, strict=True)}


def _beside(limits: Limits, least: Mapping[str, float]) -> str:
    """Each limit beside the least that there is."""
    wanted = {name: limit for name in COSTS if (limit := getattr(limits, name)) is not None}
    words = [f"limits.{name} is {limit:,.6g}, the least is {least[name]:,.6g}" for name, limit in wanted.items()]
    is_clear = any(least[name] > limit for name, limit in wanted.items())
    return "; ".join(words) + ("" if is_clear else "; not all are met at once, or not surely enough")
