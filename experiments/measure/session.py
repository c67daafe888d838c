"""Measuring networks one after the other: exported, timed in turns with a reference, repeated until stable."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.measure.commands import Commands, carry_out
from experiments.measure.protocol import Protocol
from experiments.measure.reply import ROLES, DeviceReply
from experiments.measure.rows import MeasuredRow
from experiments.measure.stability import complaint, timing, unsteadiness
from experiments.measure.target import JOB, Target
from search_space.candidate import Candidate
from topformer import __version__
from topformer.codec import fingerprint
from topformer.deployment.boundary import SUFFIXES, Boundary, Format
from topformer.deployment.export import Exported, export
from topformer.design import Design
from topformer.errors import InputError

FORMATS = {"onnxruntime": Format.ONNX, "ncnn": Format.NCNN, "torch": Format.TORCHSCRIPT}
"""Engine to the format that it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A row, and what was wrong on the way to it.

    Attributes:
        row: The measured row.
        complaints: Why each attempt but a stable last one was made again.
    """

    row: MeasuredRow
    complaints: tuple[str, ...]


class Session:
    """Measures networks on one device, with one engine and one reference network.

    Args:
        target: The device.
        runtime: Engine.
        boundary: Where the graphs end.
        protocol: How they are timed.
        reference: Name of the reference network and its design; it runs at the size of each candidate.

    Raises:
        InputError: The device cannot be asked for that engine.
    """

    def __init__(
        self, target: Target, *, runtime: str, boundary: Boundary, protocol: Protocol, reference: tuple[str, Design]
    ) -> None:
        if runtime not in target.runtimes:
            raise InputError(f"runtime on {target.name} must be one of {', '.join(target.runtimes)}, got {runtime!r}")
        self._target = target
        self._runtime = runtime
        self._boundary = boundary
        self._protocol = protocol
        self._reference_name, self._reference = reference
        self._exported: dict[str, Exported] = {}

    def measure(self, candidates: Sequence[Candidate]) -> Iterator[Measurement]:
        """Measure one candidate after the other; each is given back as soon as it is known.

        Raises:
            ExplorerError: A network cannot be exported.
            MeasureError: The device cannot be reached or gives no time that can be used.
        """
        self._exported.clear()
        with TemporaryDirectory(prefix="topformer-") as name:
            for number, candidate in enumerate(candidates):
                folder = Path(name) / str(number)
                folder.mkdir()
                yield self._one(candidate, folder)
                shutil.rmtree(folder)

    @property
    def attempts(self) -> int:
        """How often a network is measured at most."""
        return self._protocol.repeats + 1

    def commands(self, folder: Path) -> Commands:
        """What runs for one attempt with the files of `folder`."""
        return self._target.commands(folder, [path.name for path in self._files(folder)])

    def job(self, candidate: Candidate) -> dict[str, Any]:
        """What the measuring script is told."""
        suffix = SUFFIXES[FORMATS[self._runtime]]
        return {
            "runtime": self._runtime,
            "models": {role: role + suffix for role in ROLES},
            "shape": [1, 3, candidate.height, candidate.width],
            "warmup": self._protocol.warmup,
            "runs": self._protocol.runs,
            "seconds": self._protocol.seconds,
            "limit_seconds": max(1, round(self._protocol.timeout)),
        }

    def _files(self, folder: Path) -> list[Path]:
        suffixes = (".param", ".bin") if self._runtime == "ncnn" else (SUFFIXES[FORMATS[self._runtime]],)
        networks = [folder / (role + suffix) for role in ROLES for suffix in suffixes]
        return [folder / JOB, *(folder / path.name for path in self._target.programs), *networks]

    def _one(self, candidate: Candidate, folder: Path) -> Measurement:
        exported = self._prepare(candidate, folder)
        commands, complaints = self.commands(folder), list[str]()
        tries: list[DeviceReply] = []
        while len(tries) < self.attempts:
            output = carry_out(commands, device=self._target.name, timeout=self._protocol.timeout)
            reply = self._target.reply(output)
            tries.append(reply)
            reason = complaint(reply.candidate_ms, reply.reference_ms, reply.clock_mhz_before, reply.clock_mhz_after)
            if not reason:
                return self._measurement(candidate, exported, reply, complaints, stable=True)
            complaints.append(reason)
        least = min(tries, key=lambda reply: unsteadiness(reply.candidate_ms, reply.reference_ms))
        return self._measurement(candidate, exported, least, complaints, stable=False)

    def _prepare(self, candidate: Candidate, folder: Path) -> Exported:
        """Put everything into the folder that a measurement needs."""
        reference = replace(candidate, design=self._reference)
        exported = {}
        for role, network in zip(ROLES, (candidate, reference), strict=True):
            exported[role] = self._export(network, folder.parent)
            for path in exported[role].files:
                shutil.copy(path, folder / (role + path.suffix))
        for program in self._target.programs:
            shutil.copy(program, folder)
        (folder / JOB).write_text(json.dumps(self.job(candidate)), encoding="utf-8")
        return exported[ROLES[0]]

    def _export(self, network: Candidate, folder: Path) -> Exported:
        """The network's files in the folder, written once for all of the measurements that need them."""
        name, to = network.fingerprint, FORMATS[self._runtime]
        if name not in self._exported:
            self._exported[name] = export(
                network.design,
                folder / (name + SUFFIXES[to]),
                to=to,
                height=network.height,
                width=network.width,
                boundary=self._boundary,
            )
        return self._exported[name]

    def _measurement(
        self,
        candidate: Candidate,
        exported: Exported,
        reply: DeviceReply,
        complaints: Sequence[str],
        *,
        stable: bool,
    ) -> Measurement:
        own, reference = timing(reply.candidate_ms), timing(reply.reference_ms)
        row = MeasuredRow(
            device=reply.device or self._target.name,
            soc=reply.soc,
            core=reply.core,
            threads=1,
            runtime=self._runtime,
            runtime_version=reply.runtime_version,
            precision=reply.precision,
            abi=reply.abi,
            boundary=self._boundary.value,
            fingerprint=fingerprint(candidate.design),
            design=candidate.design,
            height=candidate.height,
            width=candidate.width,
            median_ms=own.median_ms,
            min_ms=own.min_ms,
            p90_ms=own.p90_ms,
            mad_ms=own.mad_ms,
            runs=own.runs,
            reference=self._reference_name,
            reference_ms=reference.median_ms,
            ratio=own.median_ms / reference.median_ms,
            clock_mhz_before=reply.clock_mhz_before,
            clock_mhz_after=reply.clock_mhz_after,
            temperature_c_before=reply.temperature_c_before,
            temperature_c_after=reply.temperature_c_after,
            stable=stable,
            model_sha256=exported.sha256,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            source=f"topformer {__version__} measure on {self._target.name}, {exported.weights.partition(':')[0]}",
        )
        return Measurement(row=row, complaints=tuple(complaints))
