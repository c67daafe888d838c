"""This machine as a place to measure on."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from experiments.measure.commands import Commands
from experiments.measure.reply import DeviceReply, read_reply
from experiments.measure.target import JOB, RUNTIMES, SCRIPT, TargetOptions
from topformer.errors import InputError


@dataclass(frozen=True, slots=True)
class Local:
    """This machine, in a process of its own."""

    form: ClassVar[str] = "local"

    name: str = "local"
    runtimes: tuple[str, ...] = RUNTIMES
    programs: tuple[Path, ...] = (SCRIPT,)

    @classmethod
    def open(cls, address: str, options: TargetOptions) -> Self:  # noqa: ARG003  # nothing has to be said of it
        """This machine.

        Raises:
            InputError: The address is not `local`.
        """
        if address != cls.form:
            raise InputError(f"the address of this machine must read local, got {address!r}")
        return cls()

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:  # noqa: ARG002  # nothing is copied
        """Nothing has to be copied."""
        measure = (sys.executable, "-W", "ignore", str(folder / SCRIPT.name), str(folder / JOB))
        return Commands(prepare=(), measure=measure, clean=())

    def reply(self, output: str) -> DeviceReply:
        """The last line."""
        return read_reply(output, self.name)
