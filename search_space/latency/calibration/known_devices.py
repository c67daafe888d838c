"""Devices that others have timed, as prior knowledge: what each is slow at, and what its networks are off by."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np

from search_space.latency.calibration.fitting import MeasuredNetwork
from search_space.latency.calibration.kernel_files import number, shared_kernels
from search_space.latency.coefficients import FEATURE_COUNT, SHAPE, Coefficients, solve
from search_space.latency.features import FeatureExtractor
from search_space.latency.predictive_spread import Floats
from topformer.csv_file import whole_lines

FOLDER = Path(__file__).parent.parent / "known_devices"
"""`devices.csv` says what was timed and where it was published, `times.csv` is one line per device and network."""

DEVICE = ("device", "chip", "core", "engine", "setting", "source")
TIME = ("device", "network", "latency_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device whose coefficients are known.

    Attributes:
        name: Its name; that of a shipped device where it is the same.
        engine: The runtime, in lower case, without its version.
        coefficients: What a unit of each feature costs.
        rows: The networks that were timed on it.
        errors: Network to the log of measured over predicted.
    """

    name: str
    engine: str
    coefficients: Coefficients
    rows: tuple[MeasuredNetwork, ...]
    errors: Mapping[str, float]

    @classmethod
    def of(
        cls, name: str, runtime: str, rows: Sequence[MeasuredNetwork], coefficients: Coefficients | None = None
    ) -> "KnownDevice":
        """A device from its rows; without coefficients they are fitted, drawn towards `SHAPE`."""
        features, times = amounts(rows), np.array([row.latency_ms for row in rows])
        found = coefficients or solve(features, times, np.array([row.noise for row in rows]), SHAPE)
        errors = np.log(times / (features @ found.per_unit)).tolist()
        return cls(
            name=name,
            engine=engine_of(runtime),
            coefficients=found,
            rows=tuple(rows),
            errors=MappingProxyType(dict(zip([row.name for row in rows], errors, strict=True))),
        )

    def without(self, network: str) -> "KnownDevice":
        """The device as if that network had never been timed on it."""
        return KnownDevice.of(self.name, self.engine, [row for row in self.rows if row.name != network])


def engine_of(runtime: str) -> str:
    """The first word of a runtime: `ncnn, powersave=0` and `ncnn 1.0.20250503` are one engine."""
    words = runtime.replace(",", " ").split()
    return words[0].lower() if words else ""


def amounts(rows: Sequence[MeasuredNetwork]) -> Floats:
    """What each network does: (N, FEATURE_COUNT)."""
    extractor = FeatureExtractor(())
    return np.array([extractor.of_kernels(row.kernels) for row in rows]).reshape(-1, 2 * FEATURE_COUNT)[
        :, :FEATURE_COUNT
    ]


@lru_cache(maxsize=1)
def published_devices() -> tuple[KnownDevice, ...]:
    """The devices of `FOLDER`, each fitted to all of its networks; takes a second."""
    rows = defaultdict[str, list[MeasuredNetwork]](list)
    for time in whole_lines(FOLDER / "times.csv", TIME, ()):
        kernels = tuple(shared_kernels()[time["network"]])
        timed = MeasuredNetwork(name=time["network"], latency_ms=number(time, "latency_ms"), kernels=kernels)
        rows[time["device"]].append(timed)
    described = whole_lines(FOLDER / "devices.csv", DEVICE, ())
    return tuple(KnownDevice.of(one["device"], one["engine"], rows[one["device"]]) for one in described)


def digest() -> str:
    """SHA-256 of the published times."""
    return sha256((FOLDER / "times.csv").read_bytes()).hexdigest()
