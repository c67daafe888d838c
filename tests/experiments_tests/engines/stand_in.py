"""An evaluator for tests of engines, which does what it is told; and a driver that a test may kill."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from analysis.records.record import Key
from experiments.engines.engine import Interruption, Task
from experiments.engines.local import LocalEngine
from experiments.engines.workers import Workers
from experiments.evaluators.base import Accuracy, EvaluatorMaker, Progress, fidelity_of
from search_space.candidate import Candidate
from topformer.errors import DataError, EvaluationError
from topformer.presets import NANO

CANDIDATE = Candidate(design=NANO, height=128, width=128)


def _die(_folder: Path) -> None:
    print("a last word", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _start_child(folder: Path) -> None:
    # By fork, as torch starts what loads data: it holds all that its parent has open.
    before = len(list(folder.glob("*.child")))
    multiprocessing.get_context("fork").Process(target=_sleep_as_child, args=(folder,)).start()
    while len(list(folder.glob("*.child"))) == before:
        time.sleep(0.01)


def _sleep_as_child(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / f"{os.getpid()}.child").touch()
    time.sleep(600)


def _loaded(folder: Path) -> None:
    (folder / "loaded").touch()


def _fail(_folder: Path) -> None:
    raise EvaluationError("the loss is not finite")


def _break(_folder: Path) -> None:
    raise DataError("no image can be read")


def _err(_folder: Path) -> None:
    raise ZeroDivisionError("a bug")


def _die_once(folder: Path) -> None:
    if not (folder / "died").exists():
        (folder / "died").touch()
        _die(folder)


def _stop(_folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _stop_once(folder: Path) -> None:
    if not (folder / "stopped").exists():
        (folder / "stopped").touch()
        _stop(folder)


def _compute(_folder: Path) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        pass


def _load_with_a_child(folder: Path) -> None:
    child = multiprocessing.Process(target=_loaded, args=(folder,))
    child.start()
    child.join()


def _sleep(_folder: Path) -> None:
    time.sleep(600)


def _with_child(deed: Callable[[Path], None], folder: Path) -> None:
    _start_child(folder)
    deed(folder)


_DEEDS: Mapping[str, Callable[[Path], None]] = {
    "": lambda _folder: None,
    "fail": _fail,
    "break": _break,
    "err": _err,
    "die": _die,
    "die once": _die_once,
    "load with a child": _load_with_a_child,
    "sleep": _sleep,
    "stop": _stop,
    "stop once": _stop_once,
    "compute": _compute,
    "die and leave a child": partial(_with_child, _die),
    "err and leave a child": partial(_with_child, _err),
    "sleep with a child": partial(_with_child, _sleep),
}


@dataclass(frozen=True)
class Scripted:
    """Scores `value`, after it has done what `does` names; the folder then names the processes."""

    does: str = ""
    value: float = 50.0

    metric = "miou@scripted"

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "does": self.does, "value": self.value}

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        (folder / f"{os.getpid()}.process").touch()
        _DEEDS[self.does](folder)
        if progress is not None:
            progress(budget, budget)
        return Accuracy(metric=self.metric, value=self.value, source="trained", budget=budget, seed=seed, seconds=0.0)


class Seeing(Scripted):
    """Notes which GPUs its process may use, with how many threads, and where it runs."""

    def evaluate(
        self, candidate: Candidate, *, budget: int, seed: int, folder: Path, progress: Progress | None = None
    ) -> Accuracy:
        (folder / "gpus").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
        (folder / "threads").write_text(os.environ["OMP_NUM_THREADS"])
        (folder / "cwd").write_text(str(Path.cwd()))
        print("seen", flush=True)
        time.sleep(0.2)
        return super().evaluate(candidate, budget=budget, seed=seed, folder=folder, progress=progress)


def processes(folder: Path) -> list[Path]:
    """A file for each process that evaluated in that folder, `.process`, and for each of their children, `.child`."""
    return [*folder.glob("*.process"), *folder.glob("*.child")]


def is_running(number: int) -> bool:
    """Whether a process lives; one that ended and was not asked about does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def task(folder: Path, make: EvaluatorMaker, *, seed: int = 0) -> Task:
    """A task of ten iterations with a folder of its own."""
    fidelity = fidelity_of(make(), height=128, width=128, budget=10)
    own = folder / f"{fidelity.digest}-{seed}"
    own.mkdir(parents=True, exist_ok=True)
    return Task(key=Key(CANDIDATE.fingerprint, fidelity, seed), evaluator=make, candidate=CANDIDATE, folder=own)


def main(folder: str) -> None:
    """Run two evaluations with children that do not end; a process that a test may kill."""
    make = partial(Scripted, "sleep with a child")
    with LocalEngine(Workers(count=2), logs=Path(folder) / "logs") as engine, Interruption() as interruption:
        for seed in (0, 1):
            engine.submit(task(Path(folder), make, seed=seed))
        while engine.busy:
            engine.wait(interruption)


if __name__ == "__main__":
    main(*sys.argv[1:])
