"""Say what this machine can do, and what is missing with the line that installs it."""

import argparse
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from experiments.cli.arguments import add_json
from experiments.engines.connection import Reach, Token, problems_here, start_wait
from topformer.optional_packages import EXTRAS, command, missing

EXAMPLE = "topformer doctor"
PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "matplotlib",
    "optuna",
    "fvcore",
    "thop",
    "onedl-mmsegmentation",
    "onedl-mmcv",
    "onedl-mmengine",
)
HARMFUL = ("torchvision", "mmsegmentation", "mmcv", "mmengine")
"""Packages that clash with the pinned set: a torchvision that does not match torch breaks mmseg's imports, and the
original OpenMMLab packages have the import names of the maintained ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--address",
        default=None,
        metavar="HOST:PORT",
        help="also join this Ray cluster, or auto for one that runs here",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; status 1 if a required package is missing, or the cluster that was named cannot be used."""
    facts = Facts.gather(args.address)
    print(json.dumps(asdict(facts), indent=2) if args.json else "\n".join(facts.lines()))
    return 1 if facts.missing or (args.address is not None and not facts.is_let_in) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RayFacts:
    """How Ray is set up here.

    Attributes:
        version: Of the package.
        token: Where the token of a cluster is found; what it is, is not said.
        start_seconds: How long Ray waits for its own processes.
        problems: What is in the way, each with what mends it.
        reach: What was found at the address of a cluster; None where none was named.
    """

    version: str
    token: str
    start_seconds: str
    problems: list[str]
    reach: Reach | None

    @classmethod
    def gather(cls, address: str | None) -> Self | None:
        """Look at this machine; Ray itself is loaded only to join a cluster."""
        number = _version("ray")
        if number is None:
            return None
        return cls(
            version=number,
            token=str(Token.here()),
            start_seconds=start_wait(),
            problems=problems_here(),
            reach=None if address is None else Reach.of(address),
        )

    def lines(self) -> list[str]:
        """As text."""
        first = f"Ray {self.version:<18} {self.token}; waits {self.start_seconds} s for its own processes"
        reached = [] if self.reach is None else [f"Ray: {self.reach}"]
        return [first, *(f"Ray: {problem}" for problem in self.problems), *reached]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What this machine has.

    Attributes:
        python: Version of the interpreter.
        cores: Cores that this process may use.
        free_disk_gib: Free space where the command runs.
        packages: Required package to its version, None where it is missing.
        clashing: Installed packages that break required ones, with their versions.
        extras: Optional part to those of its packages that are not installed.
        cuda: Names of the CUDA devices that torch sees.
        adb: Path of the Android debug bridge.
        ray: How Ray is set up here; None where it is not installed.
    """

    python: str
    cores: int
    free_disk_gib: float
    packages: dict[str, str | None]
    clashing: dict[str, str]
    extras: dict[str, list[str]]
    cuda: list[str]
    adb: str | None
    ray: RayFacts | None

    @classmethod
    def gather(cls, address: str | None = None) -> Self:
        """Look at this machine, and join the Ray cluster of that address if there is one."""
        packages = {name: _version(name) for name in PACKAGES}
        return cls(
            python=platform.python_version(),
            cores=_cores(),
            free_disk_gib=round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
            packages=packages,
            clashing={name: number for name in HARMFUL if (number := _version(name))},
            extras={name: missing(name) for name in EXTRAS},
            cuda=_cuda() if packages["torch"] else [],
            adb=shutil.which("adb"),
            ray=RayFacts.gather(address),
        )

    @property
    def is_let_in(self) -> bool:
        """Whether the cluster that was named can be used."""
        return self.ray is not None and self.ray.reach is not None and not self.ray.reach.problem

    @property
    def missing(self) -> list[str]:
        """Required packages that are not installed."""
        return [name for name, number in self.packages.items() if number is None]

    def lines(self) -> list[str]:
        """As text, with the line that installs what is missing."""
        return [
            f"python {self.python}, {self.cores} cores, {self.free_disk_gib} GiB free here",
            *(f"{name:<22} {number or 'missing'}" for name, number in self.packages.items()),
            *(_extra_line(name, absent) for name, absent in self.extras.items()),
            f"CUDA devices           {', '.join(self.cuda) or 'none'}",
            f"adb                    {self.adb or 'not on PATH (needed only to measure on a phone)'}",
            *(self.ray.lines() if self.ray else ()),
            *(f"clash: {name} {number} is installed; pip uninstall {name}" for name, number in self.clashing.items()),
            *([f"install what is missing: python -m pip install {' '.join(self.missing)}"] if self.missing else []),
        ]


def _extra_line(name: str, absent: list[str]) -> str:
    """Whether an optional part works, and what installs it."""
    if not absent:
        return f"extra {name:<16} installed"
    return f"extra {name:<16} lacks {', '.join(absent)} (for {EXTRAS[name].purpose}): {command(name)}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cuda() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
