"""Records for the tests of this folder."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.records.fidelity import Fidelity
from analysis.records.record import JsonlStore, Metric, Record, State
from topformer import codec
from topformer.presets import NANO

MIOU = "miou@tokenworld-128"
LATENCY = "latency_ms@snapdragon-865"
FIDELITY = Fidelity(evaluator="lean:0123456789ab", data="tokenworld-128:ba9876543210", size="128x128", budget=1200)


def record(trial: int = 0, miou: float | None = 50.0, latency_ms: float = 4.0, **changes: Any) -> Record:
    """A complete record, or a pruned one where `miou` is None."""
    metrics = {LATENCY: Metric(value=latency_ms, source="predicted")}
    if miou is not None:
        metrics[MIOU] = Metric(value=miou, source="trained")
    values: dict[str, Any] = {
        "study": "nano",
        "trial": trial,
        "state": State.COMPLETE if miou is not None else State.PRUNED,
        "fingerprint": f"{trial:012x}@128x128",
        "design": codec.to_json(NANO),
        "height": 128,
        "width": 128,
        "labels": {"width": "128"},
        "metrics": metrics,
        "fidelity": FIDELITY,
    }
    return Record(**{**values, **changes})


def run_folder(folder: Path, records: list[Record], **changes: Any) -> Path:
    """A run folder with these records, each with a design of its own; `changes` replace keys of its study."""
    study: Mapping[str, Any] = {
        "schema": 1,
        "name": "nano",
        "objectives": [
            {"metric": MIOU, "direction": "maximize"},
            {"metric": LATENCY, "direction": "minimize"},
        ],
        "limits": {"latency_ms": 6.0, "alpha": 0.05},
        "seed": 3,
        "budget": 1200,
        "space": {"name": "mobile", "base": "nano"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps({**study, **changes}))
    JsonlStore(folder / "records.jsonl").append_many(with_own_design(record) for record in records)
    return folder


def with_own_design(one: Record) -> Record:
    """The record with a design by its number, and that design's fingerprint."""
    design = replace(NANO, num_classes=one.trial + 2)
    fingerprint = f"{codec.fingerprint(design)}@{one.height}x{one.width}"
    return replace(one, design=codec.to_json(design), fingerprint=fingerprint)
