"""Preparing the folder of the emulated ARM machine, step by step; what is done stays done."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from experiments.emulate.folder import Step, steps
from topformer.errors import ExplorerError, InputError, StorageError

_SECONDS = 900


class EmulationError(ExplorerError):
    """The emulated machine cannot be prepared, or gave no counts."""


def prepare(folder: Path) -> Iterator[tuple[Step, bool]]:
    """Do every step that is not done yet; each is given back with whether it had to be done.

    Raises:
        InputError: The folder's name cannot be used.
        EmulationError: This machine cannot do it, a program is missing, or a command failed.
        StorageError: The folder cannot be written.
    """
    check_machine()
    check_name(folder)
    for step in steps(folder):
        due = not is_done(step, folder)
        if due:
            _do(step, folder)
        yield step, due


def is_done(step: Step, folder: Path) -> bool:
    """Whether the folder has what the step makes, made by the step as it is now."""
    mark = folder / "done" / step.name
    return mark.is_file() and mark.read_text(encoding="utf-8") == step.key and (folder / step.result).exists()


def check_ready(folder: Path) -> None:
    """Refuse a folder that is not prepared.

    Raises:
        InputError: The folder's name cannot be used.
        EmulationError: A step is missing.
    """
    check_machine()
    check_name(folder)
    missing = [step.name for step in steps(folder) if not is_done(step, folder)]
    if missing:
        raise EmulationError(
            f"the emulated machine in {folder} is not ready (missing: {', '.join(missing)}); prepare it with: "
            f"topformer emulate setup --folder {folder}"
        )


def check_machine() -> None:
    """Refuse a machine that the downloaded QEMU does not run on.

    Raises:
        EmulationError: It is no Linux on x86-64.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise EmulationError(
            f"emulation needs Linux on x86_64 with apt, such as Debian in a container; this is {platform.system()} on "
            f"{platform.machine()}"
        )


def check_name(folder: Path) -> None:
    """Refuse a name that apt or QEMU would read as more than a name.

    Raises:
        InputError: It has a comma, a colon, a quote or a space.
    """
    if set(str(folder)) & set(",:;\"' "):
        raise InputError(f"folder must have no comma, colon, semicolon, quote or space in its name, got '{folder}'")


def _do(step: Step, folder: Path) -> None:
    for program, package in step.needs.items():
        if not (Path(program).exists() or shutil.which(program)):
            raise EmulationError(f"{program} is needed and is not here; install {package}")
    try:
        (folder / "done").mkdir(parents=True, exist_ok=True)
        for name, text in step.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for argv in step.commands:
            carry_out(argv, folder, f"step {step.name}", _SECONDS)
        if not (folder / step.result).exists():
            raise EmulationError(f"step {step.name} ended without {folder / step.result}")
        (folder / "done" / step.name).write_text(step.key, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def carry_out(argv: tuple[str, ...], folder: Path, doing: str, seconds: int) -> str:
    """Run a program in a folder; its output.

    Raises:
        EmulationError: It is missing, fails or hangs.
    """
    try:
        done = subprocess.run(  # noqa: S603  # the program and its arguments come from this package
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise EmulationError(f"{doing}: {argv[0]} is needed and is not here") from None
    except subprocess.TimeoutExpired:
        raise EmulationError(f"{doing}: {Path(argv[0]).name} did not end within {seconds} seconds") from None
    if done.returncode:
        raise EmulationError(
            f"{doing}: {Path(argv[0]).name} failed with status {done.returncode}: {_reason(done.stderr, done.stdout)}"
        )
    return done.stdout


def _reason(errors: str, output: str) -> str:
    """What a failed program said last, and whether the network is to blame."""
    lines = [line.strip() for line in (errors or output).splitlines() if line.strip()]
    lost = ("temporary failure", "could not resolve", "name resolution", "failed to fetch", "no matching distribution")
    network = " (is the network there? nothing that is done is lost)" if any(x in errors.lower() for x in lost) else ""
    return ("".join(lines[-1:]) or "it printed nothing")[:300] + network
