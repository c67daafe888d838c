"""Commands that reach a device, and one clear message for everything that may go wrong with them."""

import shlex
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from topformer.errors import ExplorerError

Argv = tuple[str, ...]

_COPY_SECONDS = 120.0
_SHOWN = 200


class MeasureError(ExplorerError):
    """A device that cannot be reached, or that gave no time that can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What is run to measure once.

    Attributes:
        prepare: Bring the files to the device.
        measure: Start the runs; its output is the reply.
        clean: Take the files away; empty where `prepare` is.
    """

    prepare: tuple[Argv, ...]
    measure: Argv
    clean: tuple[Argv, ...]

    def lines(self) -> list[str]:
        """All of them as a shell would take them."""
        return [shlex.join(argv) for argv in (*self.prepare, self.measure, *self.clean)]


def carry_out(commands: Commands, *, device: str, timeout: float) -> str:
    """Run all of the commands; the output of the one that measures.

    The device is cleaned also after a failure, as far as it still answers.

    Raises:
        MeasureError: A command cannot be started, fails, or hangs.
    """
    try:
        for argv in commands.prepare:
            _run(argv, device, "copying to it", _COPY_SECONDS)
        return _run(commands.measure, device, "measuring", timeout)
    finally:
        # What went wrong before matters more than a folder that stays behind.
        with suppress(MeasureError):
            for argv in commands.clean:
                _run(argv, device, "cleaning up", _COPY_SECONDS)


def _run(argv: Argv, device: str, doing: str, timeout: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # the program and its arguments come from this package, never from a shell
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise MeasureError(f"{device}: {argv[0]} is needed and is not on PATH") from None
    except subprocess.TimeoutExpired:
        raise MeasureError(
            f"{device}: no answer within {timeout:g} seconds while {doing}; it hangs or is gone"
        ) from None
    if done.returncode:
        raise MeasureError(f"{device}: {doing} failed with {_status(done.returncode)}: {_reason(done)}")
    return done.stdout


def _status(code: int) -> str:
    return f"status {code}" if code > 0 else f"signal {-code}, {signal.strsignal(-code)}"


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.strip()]
    errors = [line for line in lines if "no space left" in line.lower()] or lines
    return shown(errors[-1:]) or "it printed nothing"


def shown(lines: Sequence[str]) -> str:
    """Lines of a device as part of a message: on one line, not too long, nothing that could steer a terminal."""
    joined = " | ".join(line.strip() for line in lines)
    plain = "".join(letter if letter.isprintable() else "?" for letter in joined)
    return plain if len(plain) <= _SHOWN else plain[:_SHOWN] + " ..."
