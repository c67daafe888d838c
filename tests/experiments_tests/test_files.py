"""Folders of results: one purpose, one process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.files import LOCK, claimed, held, is_held
from topformer.errors import StorageError, StudyError

WANTED = {"design": {"width": 64, "taps": (1, 2)}, "seed": 0, "identity": "a1"}


def test_a_new_folder_says_what_it_holds_and_is_known_again(tmp_path: Path) -> None:
    with claimed(tmp_path / "run", "note.json", WANTED, holds="study", once={"run": "x1"}) as found:
        assert found["run"] == "x1"
    with claimed(
        tmp_path / "run", "note.json", {**WANTED, "identity": "b2"}, holds="study", once={"run": "y2"}
    ) as found:
        assert found["run"] == "x1"


def test_another_purpose_is_refused_with_the_innermost_difference(tmp_path: Path) -> None:
    with claimed(tmp_path, "note.json", WANTED, holds="training"):
        pass
    other = {**WANTED, "design": {"width": 72, "taps": (1, 2)}}
    said = f"{tmp_path} holds another training: design.width is 64 there and 72 here; choose another --out"
    with pytest.raises(StudyError) as caught, claimed(tmp_path, "note.json", other, holds="training"):
        pass
    assert str(caught.value) == said


def test_a_folder_of_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with (
        pytest.raises(StudyError, match=r"holds thesis\.tex but no note\.json: it cannot be told whose it is"),
        claimed(tmp_path, "note.json", WANTED, holds="study"),
    ):
        pass
    with claimed(tmp_path, "note.json", WANTED, holds="study", besides=("thesis.tex",)):
        assert (tmp_path / "note.json").exists()


def test_two_processes_do_not_write_into_one_folder(tmp_path: Path) -> None:
    program = (
        f"from experiments.files import held\nwith held(__import__('pathlib').Path({str(tmp_path)!r}), 'sweep'): pass"
    )
    with held(tmp_path, "sweep"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "StudyError: another sweep runs in" in done.stderr
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_child_that_outlives_a_killed_writer_does_not_hold_its_folder(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from experiments.files import held\n"
        "with held(Path(sys.argv[1]), 'training'):\n"
        "    if (child := os.fork()) == 0:\n"
        "        time.sleep(60)\n"
        "    print(child, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    output = tmp_path / "child"
    with output.open("w") as file:
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], stdout=file, check=False)
    try:
        with held(tmp_path / "run", "training"):
            pass
    finally:
        os.kill(int(output.read_text()), signal.SIGKILL)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    with claimed(tmp_path, "note.json", WANTED, holds="training"):
        (tmp_path / ".checkpoint.pt.99.part").write_text("half")
    with claimed(tmp_path, "note.json", WANTED, holds="training"):
        assert not (tmp_path / ".checkpoint.pt.99.part").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StorageError, match=r"cannot make the folder .*file/run: Not a directory"),
        held(tmp_path / "file" / "run", "sweep"),
    ):
        pass


def test_a_folder_is_held_while_its_process_lives(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with held(tmp_path, "sweep"):
        assert is_held(tmp_path)
    for left in ("", "0", "-1", "x", str(2**22 + 1)):
        (tmp_path / LOCK).write_text(left)
        assert not is_held(tmp_path)
