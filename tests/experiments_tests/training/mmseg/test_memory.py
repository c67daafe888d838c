"""Memory that runs out: recognised, measured, and answered with a batch that really fits."""

import errno
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from experiments.data.tokenworld.write import write_tokenworld
from experiments.training.mmseg.memory import LiveBytes, Need, Probe, advice, explained, free_bytes, is_out_of_memory
from topformer.errors import EvaluationError
from topformer.mmseg import segmentor
from topformer.presets import NANO

pytestmark = pytest.mark.filterwarnings("ignore:Default ``avg_non_ignore`` is False:UserWarning")

MEBIBYTE = 1 << 20
PROBE = Probe(design=replace(NANO, num_classes=11), height=64, width=64)


class Tries:
    """Stands in for a probe: an update takes 40 MiB and 10 MiB per image, and what fits is given."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.tried: list[int] = []

    def alone(self, attempt):
        return attempt()

    def need(self) -> Need:
        return Need(fixed=40 * MEBIBYTE, per_image=10 * MEBIBYTE)

    def fits(self, images: int) -> bool:
        self.tried.append(images)
        return images <= self.most


def test_tensors_alive_are_counted_once() -> None:
    earlier = torch.zeros(500)
    with LiveBytes() as live:
        earlier.add_(1)
        first = torch.ones(1000)
        second = first * 2
        view = second.reshape(10, 100)
        assert live.now == 8000
        del second, view
        assert live.now == 4000
        first.add_(1)
    assert (live.now, live.peak) == (4000, 8000)


def test_a_need_says_what_fits() -> None:
    need = Need(fixed=44 * MEBIBYTE, per_image=10 * MEBIBYTE)
    # 15 % of 1,000 MiB and 256 MiB are kept aside: 1000 - 150 - 256 - 44 = 550 MiB.
    assert need.largest(1000 * MEBIBYTE) == 55
    assert need.largest(300 * MEBIBYTE) == 0


def test_two_sizes_tell_what_any_number_of_images_takes() -> None:
    need = PROBE.need()
    assert need is not None
    network = segmentor(PROBE.design, height=64, width=64).train()
    weights = sum(weight.numel() for weight in network.parameters())
    assert need.fixed - 5 * 4 * weights + 7 * need.per_image == PROBE._peak(network, 7)


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


def test_a_limit_of_the_process_counts_as_its_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = psutil.Process().memory_info().vms
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + 100 * MEBIBYTE, before[1]))
        assert 90 * MEBIBYTE < free_bytes() <= 100 * MEBIBYTE
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_the_batch_that_is_named_was_tried_with_some_more() -> None:
    tries = Tries(most=30)
    said = advice(tries, 1000 * MEBIBYTE, batch=64, processes=2)  # type: ignore[arg-type]
    # By the estimate 55, but no more than three quarters of what failed; each failure takes a quarter off.
    assert tries.tried == [54, 41, 31, 23]
    assert "ran out with batch 128; 1,000 MiB were free" in said
    assert "batch 40 fits, 23 images per process were just tried" in said


def test_where_nothing_fits_that_is_said() -> None:
    assert "no batch fits" in advice(Tries(most=0), 1000 * MEBIBYTE, batch=64, processes=1)  # type: ignore[arg-type]


def test_other_errors_pass() -> None:
    def run() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        explained(run, PROBE, batch=4)


def test_a_validation_that_does_not_fit_is_no_matter_of_the_batch() -> None:
    def val_step() -> None:
        torch.empty(1 << 55)

    with pytest.raises(EvaluationError, match="ran out in the validation"):
        explained(val_step, PROBE, batch=4)


@pytest.mark.slow
def test_a_training_that_does_not_fit_names_a_batch_that_does(tmp_path: Path) -> None:
    data = write_tokenworld(tmp_path / "data", size=64, training=16, validation=2)
    small = ("--design", "nano", "--size", "64", "--iterations", "2", "--workers", "0")
    program = Path(sys.executable).with_name("topformer")

    def train(batch: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "train", "--data", data, *small, "--batch", str(batch), "--out", tmp_path / "run"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1800 * MEBIBYTE, 1800 * MEBIBYTE)),
        )

    failed = train(512)
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    named = re.search(r"batch (\d+) fits", failed.stderr)
    assert named is not None, failed.stderr
    assert int(named[1]) >= 32
    assert train(int(named[1])).returncode == 0
