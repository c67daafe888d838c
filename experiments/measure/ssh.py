"""Another machine with Python, reached over ssh."""

import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from experiments.measure.commands import Commands
from experiments.measure.reply import DeviceReply, read_reply
from experiments.measure.target import JOB, RUNTIMES, SCRIPT, TargetOptions
from topformer.errors import InputError

_URL = re.compile(r"ssh://(?:(?P<user>\w[\w.-]*)@)?(?P<host>\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3")


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

    form: ClassVar[str] = "ssh://[USER@]HOST[:PORT]"

    name: str
    host: str
    port: str = ""
    python: str = "python3"
    config: Path | None = None
    runtimes: tuple[str, ...] = RUNTIMES
    programs: tuple[Path, ...] = (SCRIPT,)
    place: str = field(default_factory=lambda: f"/tmp/topformer-{secrets.token_hex(6)}")  # noqa: S108  # of that machine

    @classmethod
    def open(cls, address: str, options: TargetOptions) -> Self:
        """The machine that an address such as `ssh://pi@raspberry:22` names.

        Raises:
            InputError: The address has another form.
        """
        match = _URL.fullmatch(address)
        if match is None:
            raise InputError(f"an ssh address must read {cls.form}, got {address!r}")
        user = f"{match['user']}@" if match["user"] else ""
        return cls(
            name=address,
            host=user + match["host"],
            port=match["port"] or "",
            python=options.python,
            config=options.ssh_config,
        )

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
        options = tuple(part for option in _OPTIONS for part in ("-o", option))
        config = ("-F", str(self.config)) if self.config else ()
        return (*config, *options, *((port, self.port) if self.port else ()))

    def reply(self, output: str) -> DeviceReply:
        """The last line."""
        return read_reply(output, self.name)
