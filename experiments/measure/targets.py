"""Where a network is measured: this machine, or another one over ssh."""

import re
import secrets
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from experiments.measure.answer import Answer, read_answer
from experiments.measure.commands import Commands
from topformer.errors import InputError

SCRIPT = Path(__file__).with_name("device_script.py")
"""What is copied to a device that has Python."""

JOB = "job.json"

_SSH_URL = re.compile(r"ssh://(?:(?P<user>\w[\w.-]*)@)?(?P<host>\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
_SSH_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3")


class Target(Protocol):
    """A way to a device."""

    @property
    def name(self) -> str:
        """How the user named it."""
        ...

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Engines that it can be asked for."""
        ...

    @property
    def programs(self) -> tuple[Path, ...]:
        """Files that must lie beside the job."""
        ...

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:
        """What measures once; `folder` holds the job, the networks and the programs: the files `names`."""
        ...

    def answer(self, output: str) -> Answer:
        """What the output of the measuring command says.

        Raises:
            MeasureError: It is no answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """This machine, in a process of its own."""

    name: str = "local"
    runtimes: tuple[str, ...] = ("onnxruntime", "ncnn", "torch")
    programs: tuple[Path, ...] = (SCRIPT,)

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:  # noqa: ARG002  # nothing is copied
        """Nothing has to be copied."""
        measure = (sys.executable, "-W", "ignore", str(folder / SCRIPT.name), str(folder / JOB))
        return Commands(prepare=(), measure=measure, clean=())

    def answer(self, output: str) -> Answer:
        """The last line."""
        return read_answer(output, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """Another machine, with Python and the runtime on it, reached by the system's ssh without a password.

    Attributes:
        name: How the user named it.
        host: Host with the user, as ssh takes it.
        port: Port; empty for the one that ssh chooses.
        python: The interpreter on that machine.
        config: A configuration file for ssh in the place of the user's own.
        place: Folder on that machine, made and taken away with each measurement.
    """

    name: str
    host: str
    port: str = ""
    python: str = "python3"
    config: Path | None = None
    runtimes: tuple[str, ...] = ("onnxruntime", "ncnn", "torch")
    programs: tuple[Path, ...] = (SCRIPT,)
    place: str = field(default_factory=lambda: f"/tmp/topformer-{secrets.token_hex(6)}")  # noqa: S108  # of that machine

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:
        """Make a folder, copy, measure, remove the folder."""
        files = tuple(str(folder / name) for name in names)
        copy = ("scp", "-q", *self._options("-P"), *files, f"{self.host}:{self.place}/")
        run = f"{shlex.quote(self.python)} -W ignore {self.place}/{SCRIPT.name} {self.place}/{JOB}"
        ssh = ("ssh", *self._options("-p"), self.host.replace("[", "").replace("]", ""))
        return Commands(
            prepare=((*ssh, f"mkdir -m 700 {self.place}"), copy),
            measure=(*ssh, run),
            clean=((*ssh, f"rm -rf {self.place}"),),
        )

    def _options(self, port: str) -> tuple[str, ...]:
        options = tuple(part for option in _SSH_OPTIONS for part in ("-o", option))
        config = ("-F", str(self.config)) if self.config else ()
        return (*config, *options, *((port, self.port) if self.port else ()))

    def answer(self, output: str) -> Answer:
        """The last line."""
        return read_answer(output, self.name)


def ssh_target(text: str, *, python: str = "python3", config: Path | None = None) -> Ssh:
    """The machine that an address such as `ssh://pi@raspberry:22` names.

    Raises:
        InputError: The address has another form.
    """
    match = _SSH_URL.fullmatch(text)
    if match is None:
        raise InputError(f"an ssh address must read ssh://[USER@]HOST[:PORT], got {text!r}")
    user = f"{match['user']}@" if match["user"] else ""
    return Ssh(name=text, host=user + match["host"], port=match["port"] or "", python=python, config=config)
