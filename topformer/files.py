"""Files of text, TOML and JSON: read within a stated size, and written whole or not at all."""

import json
import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from topformer.errors import ExplorerError, InputError, StorageError, shown

MIB = 2**20
LARGEST_TOML = MIB
"""Bytes of a TOML file: the largest that comes with the project has 13 thousand."""
LARGEST_JSON = 64 * MIB
"""Bytes of a JSON file of ours."""
LARGEST_ANNOTATIONS = 4096 * MIB
"""Bytes of a JSON file with the annotations of a data set; that of COCO's training images has 450 million."""

_KINDS = {stat.S_IFDIR: "Is a directory", stat.S_IFIFO: "it is a pipe", stat.S_IFCHR: "it is a device"}
_DEEP_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){100}")
"""A dotted key of a hundred names: with tens of thousands tomllib is busy for a minute."""
_LEFT_OVER = re.compile(r"\..+\.\d+\.part|\.\w+\.\w+\.\d+")
"""Names that `replacing` gives, now and in version 0.1."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TORCH_ON_A_FULL_DISK = ("unexpected pos", "file write failed")
"""What torch.save raises as RuntimeError when the system refuses a write."""


def read_bytes(path: Path, *, what: str = "file", error: type[ExplorerError] = InputError, most: int) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        what: What it should be, for messages, such as `study file`.
        error: What is raised.
        most: Largest size in bytes.

    Raises:
        error: The file does not exist, is no regular file (a pipe would wait, a device never end), or is too large.
    """
    try:
        # Without waiting: to open a pipe that nobody writes to would take forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as cause:
        raise error(f"cannot read the {what} {path}: {cause.strerror or cause}") from cause
    except ValueError as cause:  # a name with a zero byte, or of no encoding
        raise error(f"cannot read the {what} {str(path)!r}: {cause}") from None
    try:
        if irregular := _irregular(os.fstat(descriptor).st_mode):
            raise error(f"cannot read the {what} {path}: {irregular}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most + 1)
    except OSError as cause:
        raise error(f"cannot read the {what} {path}: {cause.strerror or cause}") from cause
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise error(f"cannot read the {what} {path}: it is larger than {_size(most)}, the most that is read")
    return content


def check_regular(path: Path, *, what: str = "file", error: type[ExplorerError] = InputError) -> None:
    """What lies there, if anything does, is a regular file, and can be opened by whatever reads its form.

    Raises:
        error: It is a folder, a pipe, which would wait, or a device, which would never end.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # whoever opens it says why it cannot
    if irregular := _irregular(mode):
        raise error(f"cannot read the {what} {path}: {irregular}")


def _irregular(mode: int) -> str:
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "it is no regular file")


def read_text(path: Path, *, what: str = "file", error: type[ExplorerError] = InputError, most: int) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark; errors as in `read_bytes`, or it is no such text."""
    content = read_bytes(path, what=what, error=error, most=most)
    if content.startswith(_UTF_16):
        raise error(f"{path} is UTF-16 text; save it as UTF-8")
    if b"\0" in content:
        raise error(f"{path} is a binary file, not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(f"{path} is not UTF-8 text: {cause}") from None


def read_toml(path: Path, *, what: str = "TOML file", error: type[ExplorerError] = InputError) -> dict[str, Any]:
    """The tables of a TOML file; errors as in `read_text`, or it is no TOML; the message names the line."""
    text = read_text(path, what=what, error=error, most=LARGEST_TOML)
    if _DEEP_KEY.search(text):
        raise error(f"{path} is nested too deeply to be read")
    tables: dict[str, Any] = _parsed(tomllib.loads, text.replace("\r\n", "\n"), str(path), "TOML", error)
    return tables


def read_json(
    path: Path, *, what: str = "file", error: type[ExplorerError] = StorageError, most: int = LARGEST_JSON
) -> Any:
    """The value in a JSON file; errors as in `read_text`, or it is no JSON."""
    return parse_json(read_text(path, what=what, error=error, most=most), str(path), error)


def parse_json(text: str | bytes, name: str, error: type[ExplorerError]) -> Any:
    """The value of a JSON text that goes by that name in messages; an error where it is none."""
    read = partial(json.loads, object_pairs_hook=_once, parse_constant=_no_number)
    return _parsed(read, text, name, "JSON", error)


class _UnclearError(Exception):
    """What a JSON text says can be taken in several ways; the rest of a sentence about it."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of whose keys each stands there once, as TOML asks too: of two values, one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _UnclearError(f"has the key {shown(twice)} twice in one object")
    return found


def _no_number(constant: str) -> NoReturn:
    raise _UnclearError(f"holds {constant}, which is no JSON number")


def read_object(
    path: Path, *, what: str = "file", error: type[ExplorerError] = StorageError, most: int = LARGEST_JSON
) -> dict[str, Any]:
    """The object in a JSON file; errors as in `read_json`, or it holds something else."""
    value = read_json(path, what=what, error=error, most=most)
    if not isinstance(value, dict):
        raise error(f"{path} must hold a JSON object, got {shown(value)}")
    return value


def _parsed(parse: Callable[[Any], Any], text: object, name: str, form: str, error: type[ExplorerError]) -> Any:
    try:
        return parse(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise error(f"{name} is not {form}: {cause}") from None
    except _UnclearError as cause:
        raise error(f"{name} {cause}") from None
    except RecursionError:
        raise error(f"{name} is nested too deeply to be read") from None
    except ValueError:
        raise error(f"{name} holds a number of more digits than are read (4,300)") from None


def _size(number: int) -> str:
    return f"{number // MIB:,} MiB"


def check_place(
    path: Path,
    made_before: Callable[[Path], bool],
    inputs: Iterable[Path],
    *,
    made: str,
    error: type[ExplorerError] = InputError,
) -> None:
    """A file may be written here: there is nothing, or an earlier output of the same command that is no input of it.

    Args:
        path: The file to be written.
        made_before: Whether the file that is there was made by this command.
        inputs: Files that the command reads.
        made: What the command makes, such as `export of topformer export`.
        error: What is raised.

    Raises:
        error: Another file is there.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.resolve() in {other.resolve() for other in inputs}:
        raise error(f"{path} is an input and would be written over; choose another place")
    if not path.is_file() or not made_before(path):
        raise error(f"{path} is there already and no {made}; choose another place, or move it")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A fresh file to write, which takes the place of `path` in one step when the block ends well.

    Args:
        path: The file; its folder must exist.
        durable: Whether to wait until the disk has it. Files of which thousands can be made again do without.

    Raises:
        StorageError: The disk does not take it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield fresh
        if durable:
            _sync(fresh)
        fresh.replace(path)
        if durable:
            _sync(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:
        if not _is_of_the_disk(error):
            raise
        raise StorageError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write a UTF-8 file, whole or in pieces, and its folder where there is none; errors as in `replacing`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error
    with replacing(path) as fresh, fresh.open("w", encoding="utf-8") as file:
        file.writelines([text] if isinstance(text, str) else text)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file; errors as in `replacing`."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="ascii")


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed within `replacing` left behind; for the only writer of a folder."""
    for left in folder.glob(".*"):
        if _LEFT_OVER.fullmatch(left.name):
            left.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_of_the_disk(error: BaseException) -> bool:
    """Whether a RuntimeError is that of torch's writer, which hides the system's OSError or never had one."""
    return _hidden(error) is not None or any(sign in str(error) for sign in _TORCH_ON_A_FULL_DISK)


def _hidden(error: BaseException) -> OSError | None:
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__context__
    return found


def _reason(error: RuntimeError) -> str:
    return str(_hidden(error) or f"the disk is full or took only a part ({str(error).splitlines()[0]})")
