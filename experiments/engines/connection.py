"""The door to Ray: connecting to a cluster, or starting one here, without a word of Ray's in the terminal."""

import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

from experiments.engines.workers import Workers
from topformer.errors import InputError, MachineError
from topformer.optional_packages import command

AUTO = "auto"
"""The address of whatever Ray runs on this machine."""
START_WAIT = "RAY_raylet_start_wait_time_s"
"""Variable: how long Ray waits for its own processes, in seconds; its default is too short for a busy machine."""
START_SECONDS = 300
_SHORTEST_START = 60
MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_DEFAULT_TOKEN = Path(".ray") / "auth_token"
_PROBE_SECONDS = 5.0
_STORE_BYTES = 100 * 2**20
"""Of the memory that Ray shares between processes: tasks and results are kilobytes."""
_VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")
"""In Ray's error where they differ: those of the cluster, then those of this process."""
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Token:
    """The token that lets processes of several machines into one cluster; what it is, is not kept.

    Attributes:
        source: Where it is found, in words; empty where there is none.
        mode: What `RAY_AUTH_MODE` says.
    """

    source: str
    mode: str

    @classmethod
    def here(cls) -> "Token":
        """That of this machine."""
        return cls(source=_token_source(), mode=os.environ.get(MODE, ""))

    def __str__(self) -> str:
        said = f"token in {self.source}" if self.source else "no token"
        return f"{said}, {MODE}={self.mode}" if self.mode else said


def _token_source() -> str:
    if os.environ.get(TOKEN):
        return f"the variable {TOKEN}"
    path = os.environ.get(TOKEN_PATH)
    file = Path(path) if path else Path.home() / _DEFAULT_TOKEN
    return str(file) if file.is_file() else ""


@contextmanager
def connected(address: str | None, workers: Workers) -> Iterator[Any]:
    """Connect to a Ray cluster while the block runs, and give Ray's module.

    A connection that the process has already is used, and left as it is.

    Args:
        address: `auto`, or HOST:PORT; None starts Ray on this machine, for these workers alone.
        workers: What is to run beside each other.

    Raises:
        InputError: Ray is not installed, the address is none, nothing answers there, or it does not let this one in.
        MachineError: Ray does not start on this machine.
    """
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    with TemporaryDirectory(prefix="topformer-ray-", ignore_cleanup_errors=True) as own:
        # An interrupted start leaves processes, too.
        try:
            _start(ray, own, workers) if address is None else _connect(ray, address)
            yield ray
        finally:
            with _quiet():
                ray.shutdown()


def _ray() -> Any:
    """Ray itself, told to be quiet and patient before it reads its environment."""
    if find_spec("ray") is None:
        raise InputError(f"--engine ray needs the package ray, which is not installed; {command('ray')}")
    os.environ.setdefault(START_WAIT, str(START_SECONDS))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Each try waits for half a minute, or a second where it is refused.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
    import ray
    from ray._private import worker

    # At each death of a machine, forty lines of its log go to the driver's standard output; no setting keeps them away.
    worker.print_to_stdstream = _drop
    return ray


def _drop(*_what: object, **_how: object) -> None:
    """Print nothing."""


def _start(ray: Any, folder: str, workers: Workers) -> None:
    with _quiet() as said:
        try:
            ray.init(
                address="local",
                num_cpus=ceil(workers.count * workers.cpus),
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=folder,
            )
        except Exception as error:  # of no class of its own
            waited = os.environ[START_WAIT]
            raise MachineError(
                f"Ray does not start on this machine: {_reason(error, said)}; {START_WAIT} (now {waited}) is how many "
                "seconds it waits"
            ) from error


def _connect(ray: Any, address: str) -> None:
    if address != AUTO:
        _probe(address)
    token = Token.here()
    try:
        _join(ray, address)
    except _Refused as error:
        if not token.source or token.mode:
            raise InputError(_unanswered(address, token, refused=True)) from error
        # Ray shows a token only where it is told to, and then no longer joins a cluster that asks for none.
        os.environ[MODE] = "token"
        ray._raylet.Config.initialize("")
        try:
            _join(ray, address)
        except _Refused as again:
            raise InputError(_unanswered(address, token, refused=True)) from again


class _Refused(Exception):
    """The cluster asks for a token, or for another one."""


def _join(ray: Any, address: str) -> None:
    with _quiet() as said:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        except ConnectionError as error:
            if "Unauthenticated" in _text(said):
                raise _Refused from error
            raise InputError(_unanswered(address, Token.here(), refused=False)) from error
        except (ray.exceptions.RayError, RuntimeError) as error:
            raise InputError(f"the Ray cluster at {address} {_unusable(error, said)}") from error


def _unusable(error: BaseException, said: IO[bytes]) -> str:
    """Why a cluster that answers cannot be used, and what mends it where that is another version."""
    versions = _VERSIONS.findall(str(error))
    if len(versions) != 2:
        return f"cannot be used: {_reason(error, said)}"
    (ray_there, python_there), (ray_here, python_here) = versions
    mends = f"python -m pip install ray=={ray_there}" if ray_there != ray_here else f"run Python {python_there} here"
    return (
        f"has Ray {ray_there} with Python {python_there}, and this machine Ray {ray_here} with Python {python_here}; "
        f"all machines need the same: {mends}"
    )


def _probe(address: str) -> None:
    """Something listens there: Ray itself would try for minutes."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise InputError(f"--address must be {AUTO} or HOST:PORT, such as 10.0.0.1:6379, got {address!r}")
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=_PROBE_SECONDS).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"no Ray cluster answers at {address}: {reason}; ray status shows the right one") from None


def _unanswered(address: str, token: Token, *, refused: bool) -> str:
    if address == AUTO and not refused:
        return f"no Ray cluster runs on this machine, got --address {AUTO}; ray start --head starts one"
    if refused:
        return (
            f"the Ray cluster at {address} does not take this machine's token ({token}): copy ~/{_DEFAULT_TOKEN} of "
            f"the machine where it was started, and set {MODE}=token"
        )
    return f"what listens at {address} does not answer as a Ray cluster does; ray status shows the right address"


@contextmanager
def _quiet() -> Iterator[IO[bytes]]:
    """What is printed within, also by libraries that are no Python, goes to a file and not to the terminal."""
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        with suppress(OSError, ValueError):
            stream.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with TemporaryFile() as file:
        try:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            yield file
        finally:
            for stream in streams:
                with suppress(OSError, ValueError):
                    stream.flush()
            for descriptor, old in zip((1, 2), saved, strict=True):
                os.dup2(old, descriptor)
                os.close(old)


def _text(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace")


def _reason(error: BaseException, said: IO[bytes]) -> str:
    """An error's first lines, or the last of what was printed where it says nothing."""
    lines = str(error).strip() or _text(said).strip()[-300:] or type(error).__name__
    return " ".join(lines.split())[:400]


@dataclass(frozen=True, slots=True)
class Reach:
    """What was found at the address of a cluster.

    Attributes:
        address: The address.
        machines: Machines that it has, this one's driver not counted; 0 where it cannot be used.
        cores: Of all of them.
        gpus: Of all of them.
        problem: Why it cannot be used, and what mends that; empty where it can.
    """

    address: str
    machines: int = 0
    cores: float = 0.0
    gpus: float = 0.0
    problem: str = ""

    @classmethod
    def of(cls, address: str) -> "Reach":
        """Try to join it."""
        try:
            with connected(address, Workers()) as ray:
                found = ray.cluster_resources()
                alive = sum(bool(node["Alive"]) for node in ray.nodes())
                return cls(address, alive, found.get("CPU", 0.0), found.get("GPU", 0.0))
        except (InputError, MachineError) as error:
            return cls(address, problem=str(error))

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        machines = "1 machine" if self.machines == 1 else f"{self.machines:,} machines"
        return (
            f"the cluster at {self.address} lets this machine in: {machines}, {self.cores:g} cores, {self.gpus:g} GPUs"
        )


def start_wait() -> str:
    """How many seconds Ray waits for its own processes."""
    return os.environ.get(START_WAIT, str(START_SECONDS))


def problems_here() -> list[str]:
    """What in this machine's settings keeps Ray from working, each with what mends it."""
    token, problems = Token.here(), []
    if token.mode.lower() == "token" and not token.source:
        problems.append(f"{MODE}=token, but there is no token: ray get-auth-token --generate")
    if not token.source and not token.mode:
        problems.append(
            "no token yet: one machine makes its own; several need the same, from ray get-auth-token --generate on "
            f"one and ~/{_DEFAULT_TOKEN} copied to the others"
        )
    wait = start_wait()
    if not (wait.isdecimal() and int(wait) >= _SHORTEST_START):
        problems.append(f"{START_WAIT}={wait} is short for a busy machine: export {START_WAIT}={START_SECONDS}")
    return problems
