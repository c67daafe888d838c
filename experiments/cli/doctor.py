"""Say what this machine can do, and what is missing with the line that installs it."""

import argparse
import json
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from experiments.cli.arguments import add_json

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
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; status 1 if a required package is missing."""
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, number in found.items() if number is None]
    facts = {
        "python": sys.version.split()[0],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "free_disk_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "packages": found,
        "missing": missing,
        "clashing": {name: number for name in HARMFUL if (number := _version(name))},
        "cuda": _cuda() if found["torch"] else None,
        "adb": shutil.which("adb"),
    }
    print(json.dumps(facts, indent=2) if args.json else "\n".join(_lines(facts)))
    return 1 if missing else 0


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cuda() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _lines(facts: dict[str, object]) -> list[str]:
    packages, missing, clashing = facts["packages"], facts["missing"], facts["clashing"]
    assert isinstance(packages, dict)
    assert isinstance(missing, list)
    assert isinstance(clashing, dict)
    return [
        f"python       {facts['python']}, {facts['cores']} cores, {facts['free_disk_gib']} GiB free here",
        *(f"{name:<22} {number or 'missing'}" for name, number in packages.items()),
        f"CUDA devices           {', '.join(facts['cuda'] or []) or 'none'}",  # type: ignore[attr-defined]
        f"adb                    {facts['adb'] or 'not on PATH (needed only to measure on a phone)'}",
        *(f"clash: {name} {number} is installed; pip uninstall {name}" for name, number in clashing.items()),
        *([f"install what is missing: python -m pip install {' '.join(missing)}"] if missing else []),
    ]
