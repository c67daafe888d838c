"""Memory that runs out: recognised, and answered with the batch, the size and torch's own figures."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.memory import is_out_of_memory, naming_what_ran_out
from topformer.errors import EvaluationError

LIMIT = 1800 << 20


def test_the_allocators_own_errors_are_recognised() -> None:
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(1 << 55)
    with pytest.raises(MemoryError) as of_python:
        bytearray(1 << 55)
    assert is_out_of_memory(of_torch.value)
    assert is_out_of_memory(of_python.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not is_out_of_memory(RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"))
    assert not is_out_of_memory(FileNotFoundError(errno.ENOENT, "No such file"))


def test_the_message_names_batch_and_size_and_torchs_figures() -> None:
    with (
        pytest.raises(
            EvaluationError, match=r"a batch of 16 at 448 x 512 px; a smaller .*: .*144115188075855872 bytes"
        ),
        naming_what_ran_out(16, 448, 512),
    ):
        torch.empty(1 << 55)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="a bug"), naming_what_ran_out(4, 64, 64):
        raise RuntimeError("a bug")


def test_a_validation_that_does_not_fit_is_no_matter_of_the_batch() -> None:
    def val_step() -> None:
        torch.empty(1 << 55)

    with pytest.raises(EvaluationError, match="ran out in the validation"), naming_what_ran_out(4, 64, 64):
        val_step()


def test_a_process_that_loads_data_and_is_gone_is_no_matter_of_the_batch() -> None:
    with pytest.raises(EvaluationError, match="fewer workers need less"), naming_what_ran_out(4, 64, 64):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["mmseg", "lean"])
def test_a_training_that_does_not_fit_says_so_in_one_line(tmp_path: Path, loop: str) -> None:
    data = write_tokenworld(tmp_path / "data", size=64, training=16, validation=2)
    small = ("--design", "nano", "--size", "64", "--iterations", "2", "--loop", loop)
    program = Path(sys.executable).with_name("topformer")

    def train(batch: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "train", "--data", data, *small, "--batch", str(batch), "--out", tmp_path / "run"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
        )

    failed = train(2048)
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    assert "memory ran out with a batch of 2048 at 64 x 64 px" in failed.stderr
    assert train(8).returncode == 0
