"""A phone over adb: Android has no Python, so a static benchmark program that the user names is pushed and run."""

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from experiments.measure.commands import Commands, MeasureError, shown
from experiments.measure.protocol import Protocol
from experiments.measure.reply import ROLES, DeviceReply, times
from experiments.measure.target import TargetOptions
from topformer.errors import InputError

SCRIPT = Path(__file__).with_name("adb_script.sh")
"""The POSIX shell script that runs on the phone."""

DONE = "topformer done"
"""Its last line."""

_ADDRESS = re.compile(r"adb(?::(?P<serial>[\w.:-]+))?")
_FACT = re.compile(r"topformer fact (\w+) ?(.*)")
_TURN = re.compile(r"topformer run (\w+)")
# What ncnn's benchncnn prints: `NAME  min =  12.34  max =  12.34  avg =  12.34`.
_TIME = re.compile(r"\smin\s*=\s*\S+\s+max\s*=\s*\S+\s+avg\s*=\s*(\S+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adb:
    """A phone, and the program that times ncnn networks on it.

    The program takes the arguments of ncnn's benchncnn and prints its lines. It is started anew for each run: it
    prints no single runs but only their average, so one run at a time is what gives a median and a spread; it warms
    up by itself, 8 times. It uses a big core of its choice, and fp16 where the core has it.

    Attributes:
        name: How the user named the phone.
        serial: Which phone; empty for the only one.
        program: The program, for the phone's instruction set, without shared libraries of its own.
        height: Input height in pixels.
        width: Input width in pixels.
        protocol: Number of runs.
        place: Folder on the phone, made and taken away with each measurement.
    """

    form: ClassVar[str] = "adb or adb:SERIAL"

    name: str
    serial: str
    program: Path
    height: int
    width: int
    protocol: Protocol
    runtimes: tuple[str, ...] = ("ncnn",)
    place: str = field(default_factory=lambda: f"/data/local/tmp/topformer-{secrets.token_hex(6)}")

    @classmethod
    def open(cls, address: str, options: TargetOptions) -> Self:
        """The phone that an address such as `adb` or `adb:SERIAL` names.

        Raises:
            InputError: The address has another form, or there is no such program.
        """
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise InputError(f"an adb address must read {cls.form}, got {address!r}")
        program = options.program
        if program is None or not program.is_file():
            given = f"got {program}" if program else "got none"
            raise InputError(
                "program must be a static benchmark program for the phone that takes the arguments of ncnn's benchncnn "
                f"(build it with ncnn's Android toolchain, or take it from a release), {given}"
            )
        return cls(
            name=address,
            serial=match["serial"] or "",
            program=program,
            height=options.height,
            width=options.width,
            protocol=options.protocol,
        )

    @property
    def programs(self) -> tuple[Path, ...]:
        """The benchmark and the script that starts it."""
        return (self.program, SCRIPT)

    def commands(self, folder: Path, names: Sequence[str]) -> Commands:
        """Make a folder, push, measure, remove the folder."""
        adb = ("adb", *(("-s", self.serial) if self.serial else ()))
        pushed = tuple(str(folder / name) for name in names)
        arguments = (self.program.name, self.width, self.height, self.protocol.runs, self.protocol.seconds)
        run = shlex.join(["sh", f"{self.place}/{SCRIPT.name}", *map(str, arguments)])
        return Commands(
            prepare=((*adb, "shell", f"mkdir {self.place}"), (*adb, "push", *pushed, f"{self.place}/")),
            measure=(*adb, "shell", run),
            clean=((*adb, "shell", f"rm -rf {self.place}"),),
        )

    def reply(self, output: str) -> DeviceReply:
        """The times by turns, and the facts between them."""
        lines = output.splitlines()
        if DONE not in lines:
            raise MeasureError(f"{self.name}: the output ends early, with {shown(lines[-1:]) or 'nothing'!r}")
        facts = {match[1]: match[2].strip() for line in lines if (match := _FACT.fullmatch(line))}
        samples = self._times(lines)
        return DeviceReply(
            candidate_ms=times(samples["candidate"], self.name),
            reference_ms=times(samples["reference"], self.name),
            device=facts.get("device", ""),
            soc=facts.get("soc", ""),
            core=f"a big core, chosen by {self.program.name}",
            abi=facts.get("abi", ""),
            precision=f"fp16 where the core has it, chosen by {self.program.name}",
            clock_mhz_before=_scaled(facts, "khz_before", 1e3),
            clock_mhz_after=_scaled(facts, "khz_after", 1e3),
            temperature_c_before=_scaled(facts, "millidegrees_before", 1e3),
            temperature_c_after=_scaled(facts, "millidegrees_after", 1e3),
        )

    def _times(self, lines: Sequence[str]) -> dict[str, list[float]]:
        samples: dict[str, list[float]] = {role: [] for role in ROLES}
        role = ""
        for line in lines:
            if match := _TURN.fullmatch(line):
                role = match[1]
            elif (match := _TIME.search(line)) and role in samples:
                samples[role].append(self._number(match[1], line))
        return samples

    def _number(self, text: str, line: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise MeasureError(f"{self.name}: no time in {shown([line])!r}") from None


def _scaled(facts: Mapping[str, str], name: str, unit: float) -> float | None:
    text = facts.get(name, "")
    return int(text) / unit if text.isdigit() and int(text) else None
