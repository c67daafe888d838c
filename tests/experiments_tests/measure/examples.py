"""Measured rows for tests, and the measuring commands as a user calls them."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from experiments.measure.protocol import Protocol
from experiments.measure.rows import MeasuredRow
from experiments.measure.target import TargetOptions
from search_space.candidate import Candidate
from search_space.latency.calibration.fitting import measured_candidate
from search_space.latency.coefficients import SHAPE
from search_space.latency.features import kernel_features
from search_space.latency.model import DeviceModel
from topformer.codec import fingerprint
from topformer.deployment.boundary import Boundary, Format
from topformer.deployment.export import Exported
from topformer.design import Design
from topformer.presets import BASE, NANO, SMALL, TINY

NETWORKS = ((NANO, 256), (TINY, 512), (SMALL, 512), (BASE, 384))
"""Designs and sizes that differ in work per byte."""

OPTIONS = TargetOptions(height=64, width=96, protocol=Protocol(warmup=1, runs=12, repeats=0))
"""A measurement that takes little time."""


def row(design: Design = TINY, size: int = 512, median_ms: float = 20.0, **changes: Any) -> MeasuredRow:
    """A plausible row."""
    plain = MeasuredRow(
        device="board",
        soc="Chip 1, rev. B",
        core="cpu3 (2400 MHz)",
        threads=1,
        runtime="ncnn",
        runtime_version="1.0",
        precision="fp32",
        abi="aarch64",
        boundary="logits",
        fingerprint=fingerprint(design),
        design=design,
        height=size,
        width=size,
        median_ms=median_ms,
        min_ms=median_ms * 0.98,
        p90_ms=median_ms * 1.02,
        mad_ms=0.01 * median_ms,
        runs=50,
        reference="tiny",
        reference_ms=20.0,
        ratio=median_ms / 20,
        clock_mhz_before=2400.0,
        clock_mhz_after=None,
        temperature_c_before=41.5,
        temperature_c_after=None,
        stable=True,
        model_sha256="ab" * 32,
        finished="2026-01-31T12:00:00+00:00",
        source='a test, "quoted"',
    )
    return replace(plain, **changes)


def time_ms(design: Design, size: int, *, slowness: float) -> float:
    """What a network takes on a device whose rates are those of `SHAPE` times `slowness`."""
    found = measured_candidate(Candidate(design=design, height=size, width=size), 1.0).kernels
    return slowness * sum(float(np.dot(kernel_features(kernel), SHAPE.per_unit)) for kernel in found)


def predicted_ms(model: DeviceModel, design: Design, size: int) -> float:
    """What the model says of a network."""
    return model.estimate(Candidate(design=design, height=size, width=size)).milliseconds


def placeholder_export(
    design: Design, path: Path, *, to: Format, height: int, width: int, boundary: Boundary
) -> Exported:
    """Files without a network in the place of `export`, for tests in which no network runs."""
    files = (path, path.with_suffix(".bin"))
    for file in files:
        file.write_bytes(b"no network")
    return Exported(
        files=files,
        format=to,
        boundary=boundary,
        height=height,
        width=width,
        weights="none",
        difference=0.0,
        sha256="0" * 64,
    )


def command(name: str, *words: object) -> int:
    """Run `topformer NAME WORDS...`; errors are raised."""
    module = import_module(f"experiments.cli.{name}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    status: int = module.run(parser.parse_args([str(word) for word in words]))
    return status


def quick(*words: object) -> Sequence[object]:
    """Options for a measurement that takes little time."""
    return (*words, "--size", "64x96", "--reference", "nano", "--warmup", 1, "--runs", 12, "--repeats", 0)
