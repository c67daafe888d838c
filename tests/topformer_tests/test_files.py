"""Files as users and accidents make them: read, or refused in one sentence; written whole or not at all."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from topformer.errors import InputError, StorageError
from topformer.files import (
    MIB,
    check_regular,
    read_bytes,
    read_json,
    read_object,
    read_toml,
    remove_unfinished,
    replacing,
    write_json,
    write_text,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.file"


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_byte_order_mark_and_line_ends_of_windows_are_read(path: Path, mark: bytes, ends: bytes) -> None:
    path.write_bytes(mark + b"name = 'x'" + ends + b"n = 3" + ends)
    assert read_toml(path) == {"name": "x", "n": 3}
    path.write_bytes(mark + b'{"n":' + ends + b"3}")
    assert read_json(path) == {"n": 3}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("n = 3".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (b"\x89PNG\0\0", "is a binary file, not text"),
        (b"n = '\xe4'", "is not UTF-8 text: .* can't decode byte 0xe4"),
        (b"n = = 3", "is not TOML: .*line 1"),
        (b"n = " + b"[" * 50_000, "is nested too deeply to be read"),
        (b".".join([b"a"] * 50_000) + b" = 1", "is nested too deeply to be read"),
        (b"n = " + b"1" * 5000, r"holds a number of more digits than are read \(4,300\)"),
        (b"#" * (MIB + 1), "cannot read the study file .*: it is larger than 1 MiB, the most that is read"),
    ],
)
def test_toml_that_cannot_be_read_is_named_in_one_sentence(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_toml(path, what="study file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not JSON: .*line 1"),
        (b"", "is not JSON"),
        (b"[" * 200_000, "is nested too deeply to be read"),
        (b"1" * 5000, "more digits than are read"),
        (b"[1, 2]", r"must hold a JSON object, got \[1, 2\]"),
    ],
)
def test_json_that_cannot_be_read_is_named_in_one_sentence(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError, match=said):
        read_object(path)


def test_what_is_no_regular_file_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"^cannot read the study file \S*: it is a pipe"):
        read_toml(path, what="study file")
    with pytest.raises(InputError, match="cannot read the file /dev/zero: it is a device"):
        read_bytes(Path("/dev/zero"), most=MIB)
    with pytest.raises(InputError, match="Is a directory"):
        read_toml(path.parent)
    with pytest.raises(InputError, match="No such file"):
        read_toml(path.with_name("absent"))
    with pytest.raises(InputError, match="null byte"):
        read_toml(Path("a\0b"))


def test_a_file_is_replaced_whole_or_stays_as_it_was(path: Path) -> None:
    write_json(path, {"n": 1})

    def interrupted() -> None:
        with replacing(path) as fresh:
            fresh.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_object(path) == {"n": 1}
    assert [item.name for item in path.parent.iterdir()] == ["a.file"]


def test_text_goes_into_folders_that_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/c.md", "\u00e4")
    assert (tmp_path / "a/b/c.md").read_bytes() == b"\xc3\xa4"
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "a/b/c.md/d", "x")


_SAVE = """
import sys, torch
from pathlib import Path
from topformer.errors import StorageError
from topformer.files import replacing
target = Path(sys.argv[1])
try:
    with replacing(target) as fresh:
        torch.save({"w": torch.zeros(10**6)}, fresh)
except StorageError as error:
    print(error)
"""


def test_a_checkpoint_that_the_disk_does_not_take_is_an_error_of_the_disk(path: Path) -> None:
    torch.save({"w": torch.ones(3)}, path)

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", _SAVE, str(path)], capture_output=True, text=True, check=True, preexec_fn=small_files
    )
    assert done.stdout.startswith(f"{path} cannot be written: ")
    assert done.stdout.count("\n") == 1
    assert torch.load(path, weights_only=True)["w"].tolist() == [1, 1, 1]
    assert [item.name for item in path.parent.iterdir()] == ["a.file"]


def test_an_error_of_the_program_is_not_blamed_on_the_disk(path: Path) -> None:
    def broken() -> None:
        with replacing(path):
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        broken()


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [".gitignore", ".lock", "checkpoint.pt", ".venv.old"]
    for name in (".checkpoint.pt.4711.part", ".checkpoint.pt.4711", *kept):
        (tmp_path / name).write_text("x")
    remove_unfinished(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == set(kept)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"b": [{"c": {"a": null, "a": null}}]}'])
def test_a_key_that_stands_twice_in_an_object_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.file has the key 'a' twice in one object"):
        read_json(path, error=InputError)


def test_what_is_no_regular_file_is_named_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, said in (("pipe", "it is a pipe"), ("zero", "it is a device"), (".", "Is a directory")):
        with pytest.raises(StorageError, match=f"cannot read the checkpoint .*: {said}"):
            check_regular(tmp_path / name, what="checkpoint", error=StorageError)
    check_regular(tmp_path / "none")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_not_taken_for_one(path: Path, constant: str) -> None:
    path.write_text(f'{{"a": [1, {constant}]}}')
    with pytest.raises(InputError, match=f"holds {constant}, which is no JSON number"):
        read_json(path, error=InputError)
