"""What lies in the folder of the emulated ARM machine, and the steps that put it there, none of which needs root."""

import hashlib
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Argv = tuple[str, ...]

DEFAULT = Path("~/.cache/topformer-explorer/arm")
"""Where the machine lies unless the user names another folder."""

PACKAGES = ("qemu-user:amd64", "python3.11:arm64", "libgomp1:arm64", "libstdc++6:arm64")
"""Debian packages that are asked for; what they depend on comes with them."""

WHEELS = ("ncnn", "numpy")
"""Python packages of the emulated machine."""

SOURCES = tuple(Path(__file__).with_name(name) for name in ("count.c", "decode.c", "decode.h"))
"""Source of the plugin that counts."""

FORWARD = Path(__file__).with_name("forward.py")
"""The program that the emulated machine runs."""

CPU = "cortex-a76"
"""Model of the emulated core."""

_MIRROR = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"
_LIBRARIES = ("host/lib/x86_64-linux-gnu", "host/usr/lib/x86_64-linux-gnu")
_QEMU = "host/usr/bin/qemu-aarch64"
_PYTHON = "sysroot/usr/bin/python3.11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the preparation; all paths are relative to the folder.

    Attributes:
        name: Short name; the step is done when `done/NAME` holds its `key`.
        what: What it does, for the report.
        commands: What runs, in the folder, in this order.
        files: Name to text of the files that are written first.
        needs: Program to the Debian package that has it.
        result: A file or folder that exists afterwards.
        inputs: Digest of other files that the step depends on.
    """

    name: str
    what: str
    commands: tuple[Argv, ...]
    needs: Mapping[str, str]
    result: str
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: str = ""

    @property
    def key(self) -> str:
        """The same for the same step, whichever Python does it: a step that has changed is done again."""
        return "\n".join([*self.lines(), self.inputs]).replace(sys.executable, "python") + "\n"

    def lines(self) -> list[str]:
        """What it does, as lines of a shell script."""
        written = [f"printf %s {shlex.quote(text)} > {name}" for name, text in self.files.items()]
        return [*written, *map(shlex.join, self.commands)]


def steps(folder: Path) -> tuple[Step, ...]:
    """Everything that prepares the folder, in order."""
    return (*_debian(folder), *_python(), _plugin())


def _debian(folder: Path) -> tuple[Step, ...]:
    # An apt of its own, with its own lists and an empty list of installed packages: the system's stays as it is.
    apt = ("apt-get", "-q", *(part for option in _apt_options(folder) for part in ("-o", option)))
    apt_needs = {
        "apt-get": "apt, so a Debian or Ubuntu",
        "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    }
    unpack = 'for package in apt/archives/*_{0}.deb; do dpkg -x "$package" {1} || exit 1; done'
    return (
        Step(
            name="lists",
            what="lists of Debian 12's packages for amd64 and arm64",
            files={"apt/sources.list": _MIRROR, "apt/status": ""},
            commands=(("mkdir", "-p", "apt/lists/partial", "apt/archives/partial"), (*apt, "update", "--error-on=any")),
            needs=apt_needs,
            result="apt/lists",
        ),
        Step(
            name="packages",
            what=f"{', '.join(PACKAGES)} and what they depend on, downloaded and not installed",
            commands=((*apt, "install", "--yes", "--download-only", *PACKAGES),),
            needs=apt_needs,
            result="apt/archives",
        ),
        Step(
            name="unpack",
            what="the packages, unpacked into host/ (amd64) and sysroot/ (arm64)",
            commands=(
                ("mkdir", "-p", "host", "sysroot"),
                *(("sh", "-c", unpack.format(*pair)) for pair in (("amd64", "host"), ("arm64", "sysroot"))),
            ),
            needs={"dpkg": "dpkg"},
            result=_QEMU,
        ),
    )


def _apt_options(folder: Path) -> tuple[str, ...]:
    apt = folder / "apt"
    return (
        f"Dir::Etc::sourcelist={apt}/sources.list",
        "Dir::Etc::sourceparts=-",
        f"Dir::State={apt}",
        f"Dir::State::lists={apt}/lists",
        f"Dir::State::status={apt}/status",
        f"Dir::Cache={apt}",
        f"Dir::Cache::archives={apt}/archives",
        "APT::Architecture=amd64",
        "APT::Architectures::=amd64",
        "APT::Architectures::=arm64",
        "APT::Install-Recommends=false",
        "APT::Sandbox::User=",
    )


def _python() -> tuple[Step, ...]:
    platforms = (f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 17))
    download = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--dest", "wheels", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"),
        *(part for platform in platforms for part in ("--platform", platform)),
        *WHEELS,
    )
    unpack = (
        f'for wheel in wheels/*.whl; do {shlex.quote(sys.executable)} -m zipfile -e "$wheel" python || exit 1; done'
    )
    return (
        Step(
            name="wheels",
            what=f"{' and '.join(WHEELS)} for aarch64 and Python 3.11",
            commands=(("rm", "-rf", "wheels"), download),
            needs={sys.executable: "python3"},
            result="wheels",
        ),
        Step(
            name="python",
            what="the wheels, unpacked into python/",
            commands=(("rm", "-rf", "python"), ("sh", "-c", unpack)),
            needs={sys.executable: "python3"},
            result="python/ncnn",
        ),
    )


def _plugin() -> Step:
    compiler = ("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-std=c11", "-D_DEFAULT_SOURCE", "-shared", "-fPIC")
    sources = tuple(str(path) for path in SOURCES if path.suffix == ".c")
    return Step(
        name="plugin",
        what="the plugin that counts, compiled",
        commands=((*compiler, "-o", "count.so", *sources),),
        needs={"gcc": "gcc libc6-dev"},
        result="count.so",
        inputs=hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest(),
    )


def emulator(folder: Path) -> Argv:
    """The program that starts QEMU with the libraries of the folder."""
    libraries = ":".join(str(folder / name) for name in _LIBRARIES)
    # Debian's own loader and libraries, so that those of this machine may be of any age.
    loader = folder / _LIBRARIES[0] / "ld-linux-x86-64.so.2"
    return (str(loader), "--library-path", libraries, str(folder / _QEMU))


def counting(folder: Path, param: Path, *, height: int, width: int, forwards: int, out: Path) -> Argv:
    """What runs a network `forwards` times and writes the counts of the whole program to `out`."""
    return (
        *emulator(folder),
        *("-L", str(folder / "sysroot"), "-cpu", CPU, "-plugin", f"{folder / 'count.so'},out={out}"),
        *("-E", f"PYTHONPATH={folder / 'python'}", "-E", "OMP_NUM_THREADS=1", "-E", "OPENBLAS_NUM_THREADS=1"),
        *(str(folder / _PYTHON), "-S", "-B", str(FORWARD), str(param), str(height), str(width), str(forwards)),
    )
