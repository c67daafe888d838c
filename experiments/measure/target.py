"""What a way to a device offers, and what its maker is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self

from experiments.measure import protocol
from experiments.measure.commands import Commands
from experiments.measure.reply import DeviceReply

RUNTIMES = ("onnxruntime", "ncnn", "torch")
"""Engines that some device can be asked for."""

SCRIPT = Path(__file__).with_name("device_script.py")
"""What is copied to a device that has Python."""

JOB = "job.json"
"""Name of the file that tells the script what to time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What a user says of a measurement beside the address; each target takes what it needs.

    Attributes:
        height: Input height in pixels.
        width: Input width in pixels.
        protocol: How networks are timed.
        python: The interpreter on the device.
        ssh_config: A configuration file for ssh in the place of the user's own.
        program: A benchmark program for a device without Python.
    """

    height: int
    width: int
    protocol: protocol.Protocol
    python: str = "python3"
    ssh_config: Path | None = None
    program: Path | None = None


class Target(Protocol):
    """A way to a device."""

    form: ClassVar[str]
    """How its address reads, for help and for errors."""

    @classmethod
    def open(cls, address: str, options: TargetOptions) -> Self:
        """The target that an address names.

        Raises:
            InputError: The address has another form, or an option is missing that the target needs.
        """
        ...

    @property
    def name(self) -> str:
        """How the user named it: the address."""
        ...

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Engines of `RUNTIMES` that it can be asked for."""
        ...

    @property
    def programs(self) -> tuple[Path, ...]:
        """Files that must lie beside the job."""
        ...

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:
        """What measures once; `folder` holds the job, the networks and the programs: the files `names`."""
        ...

    def reply(self, output: str) -> DeviceReply:
        """What the output of the measuring command says.

        Raises:
            MeasureError: It is no reply.
        """
        ...
