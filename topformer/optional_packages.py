"""Packages that only one part of the project needs, and the lines that install them beside the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from topformer.errors import InputError, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A part that works only with packages of its own.

    Attributes:
        purpose: What it is for.
        packages: Names of its distributions.
        alone: Those that must be installed without their dependencies, with their versions.
    """

    purpose: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What installs the part, one command a line."""
        rest = [name for name in self.packages if not any(pinned.startswith(f"{name}==") for pinned in self.alone)]
        first = (f"python -m pip install --no-deps {' '.join(self.alone)}",) if self.alone else ()
        return (*first, f"python -m pip install {' '.join(rest)}")


EXTRAS: Mapping[str, Extra] = MappingProxyType(
    {
        "export": Extra(
            purpose="topformer export, measure and emulate",
            packages=("ncnn", "onnx", "onnxruntime", "onnxscript", "pnnx"),
        ),
        "report": Extra(purpose="topformer report", packages=("plotly",)),
        "dashboard": Extra(purpose="topformer dashboard", packages=("optuna-dashboard", "plotly")),
        "detection": Extra(
            purpose="topformer detect train",
            packages=(
                "onedl-mmdetection",
                "imaug",
                "imageio",
                "pycocotools",
                "scikit-image",
                "shapely",
                "six",
                "terminaltables",
                "tqdm",
            ),
            # imaug asks for an OpenCV that asks for an older numpy; both work with the newer ones.
            alone=("onedl-mmdetection==3.5.1", "imaug==0.4.3"),
        ),
        "postgresql": Extra(purpose="several drivers of one sweep, in a database", packages=("psycopg[binary]",)),
        "completion": Extra(purpose="topformer --print-completion", packages=("shtab",)),
        "ray": Extra(purpose="topformer sweep and ablate --engine ray", packages=("ray",)),
    }
)
"""The extras of pyproject.toml that a user may want, by name."""


def missing(name: str) -> list[str]:
    """Packages of an extra that are not installed.

    Raises:
        InputError: There is no such extra.
    """
    return [package for package in _extra(name).packages if not _installed(package)]


def command(name: str) -> str:
    """What installs an extra, as one line for a shell.

    Raises:
        InputError: There is no such extra.
    """
    return " && ".join(_extra(name).lines)


def _extra(name: str) -> Extra:
    if name not in EXTRAS:
        raise InputError(unknown_name("extra", name, EXTRAS))
    return EXTRAS[name]


def _installed(package: str) -> bool:
    try:
        version(package.partition("[")[0])
    except PackageNotFoundError:
        return False
    return True
