"""A file of JSON lines that several processes append to, and that neither a crash nor a full disk can spoil."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from topformer.errors import StorageError
from topformer.files import check_regular

_LOG = logging.getLogger(__name__)


class LineFile:
    """Append-only lines; the file is made, with its folder, by the first append.

    An unfinished last line, left behind by a killed process, is moved by the next append to a file of the same
    name with `.torn` added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, data: bytes) -> None:
        """Write whole lines and return when the disk has them.

        Raises:
            StorageError: The disk did not take them; the file is as it was before.
        """
        if not data:
            return
        with self._locked() as descriptor:
            length = self._repair(descriptor)
            try:
                _write(descriptor, data)
            except OSError:
                # Should this fail too, then the next append moves the unfinished line away.
                with suppress(OSError):
                    os.ftruncate(descriptor, length)
                raise

    def read(self) -> Iterator[tuple[bytes, bool]]:
        """Each line without its newline, and whether it is whole, which only the last may not be.

        A file that does not exist has no line. What others append from now on is left out.

        Raises:
            StorageError: The file cannot be read.
        """
        check_regular(self.path, what="records", error=StorageError)
        try:
            with self.path.open("rb") as file:
                # A writer holds the lock until its line is whole: what is torn then, nobody is about to finish.
                fcntl.flock(file, fcntl.LOCK_SH)
                left = os.fstat(file.fileno()).st_size
                fcntl.flock(file, fcntl.LOCK_UN)
                while left > 0 and (line := file.readline(left)):
                    left -= len(line)
                    text = line.removesuffix(b"\n")
                    yield text, len(text) < len(line) or _is_whole(text)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror or error}") from error

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """A descriptor of the file while no other process appends to it."""
        try:
            descriptor = _open(self.path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"cannot append to {self.path}: {error.strerror or error}") from error

    def _repair(self, descriptor: int) -> int:
        """Finish or move away a last line without newline; the file's length afterwards."""
        size = os.fstat(descriptor).st_size
        if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
            return size
        tail = _last_line(descriptor, size)
        if _is_whole(tail):
            _write(descriptor, b"\n")
            return size + 1
        torn = self.path.with_name(self.path.name + ".torn")
        _LOG.warning("%s: an unfinished last line (%d bytes) is moved to %s", self.path, len(tail), torn.name)
        aside = _open(torn)
        try:
            _write(aside, tail + b"\n")
        finally:
            os.close(aside)
        os.ftruncate(descriptor, size - len(tail))
        return size - len(tail)


def _open(path: Path) -> int:
    """A descriptor for appending; the name of a new file survives a power cut as its lines do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _last_line(descriptor: int, size: int, chunk: int = 1 << 16) -> bytes:
    """The bytes after the last newline of a file of `size` bytes."""
    tail, start = b"", size
    while start > 0 and b"\n" not in tail:
        count = min(chunk, start)
        start -= count
        tail = os.pread(descriptor, count, start) + tail
    return tail.rpartition(b"\n")[2]


def _is_whole(line: bytes) -> bool:
    """Whether only the newline is missing: an object cut anywhere else is no JSON."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
