"""The rungs of a study that climbs, as its `study.json` tells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.records.fidelity import Fidelity
from topformer.errors import StudyError, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRung:
    """One rung of a study that climbs a ladder.

    Attributes:
        metric: Its accuracy.
        fidelity: What that is obtained with.
        promotion: Who goes on, in words; empty for the last rung.
    """

    metric: str
    fidelity: Fidelity
    promotion: str


def study_rungs(path: Path, study: Mapping[str, Any]) -> tuple[StudyRung, ...]:
    """The rungs of a study; none where it has none, or does not say its size, without which they cannot be told apart.

    Args:
        path: Its `study.json`, for messages.
        study: What stands there.

    Raises:
        StudyError: A rung says too little.
    """
    space = study.get("space") or {}
    if "rungs" not in study or not {"height", "width"} <= space.keys():
        return ()
    found = []
    for number, rung in enumerate(study["rungs"] if isinstance(study["rungs"], list) else [None], start=1):
        if not isinstance(rung, dict) or not {"metric", "evaluator", "budget"} <= rung.keys():
            raise StudyError(f"{path}: rung {number} must have a metric, an evaluator and a budget, got {shown(rung)}")
        fidelity = Fidelity.of(rung["evaluator"], height=space["height"], width=space["width"], budget=rung["budget"])
        found.append(StudyRung(metric=str(rung["metric"]), fidelity=fidelity, promotion=_promotion(rung)))
    return tuple(found)


def _promotion(rung: Mapping[str, Any]) -> str:
    share = f"the best {rung['keep']}" if "keep" in rung else f"one in {rung['eta']}" if "eta" in rung else ""
    strata = f", compared by {', '.join(map(str, rung['strata']))}" if share and rung.get("strata") else ""
    return share + strata
