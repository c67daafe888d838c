"""One training through mmsegmentation, run from the configuration that is written beside it."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from experiments.training.checks import check_precision
from experiments.training.job import TrainingJob
from experiments.training.memory import naming_what_ran_out
from experiments.training.mmseg.configuration import CHECKPOINT_EVERY, as_python, mmengine_configuration
from experiments.training.mmseg.draws import without_trace
from experiments.training.mmseg.hooks import FiniteLossHook, HistoryHook, ProgressHook
from experiments.training.mmseg.runner import INITIAL, run, write_start
from experiments.training.mmseg.runner import forget as forget_checkpoints
from experiments.training.outcome import Outcome, Progress
from experiments.training.processes import choose_device, joined_processes, rank, wait_for_all, world_size
from experiments.training.settings import Machine
from topformer.mmseg import from_segmentor_state, to_segmentor_state

LOGS = "mmseg"
"""Folder inside the training's, for mmengine's logs and checkpoints."""
HISTORY = "validations.json"


def train(job: TrainingJob, out: Path, *, machine: Machine | None = None, progress: Progress | None = None) -> Outcome:
    """Train a network; goes on from the newest checkpoint that `out` holds, and on a CPU to the same bits.

    Under `torchrun` the processes share the batch, and where the recipe says so BatchNorm is that of the joint batch.
    `out` gets the configuration (`config.py`), mmengine's logs and checkpoints, `validations.json` and, with weights to
    start from, `initial.pth` and `start.json`.

    Args:
        job: What is trained.
        out: Folder of this training.
        machine: How it is computed.
        progress: Called after every iteration with the iterations done and all of them.

    Raises:
        StudyError: The recipe or the machine asks for what is not there.
        DataError: The folder lacks something, or a file in it cannot be read.
        CheckpointError: The weights do not fit, or the checkpoint to go on from cannot be read.
        EvaluationError: The loss is not finite, memory runs out, or another process of the training ended.
        StorageError: The disk does not take a checkpoint.
    """
    recipe, machine = job.recipe, machine or Machine(checkpoint_every=CHECKPOINT_EVERY)
    check_precision(recipe.precision, choose_device("auto"))
    settings = mmengine_configuration(
        job.design,
        recipe,
        replace(job.folder, root=job.folder.root.resolve()),
        seed=job.seed,
        devices=world_size(),
        workers=machine.workers,
        checkpoint_every=machine.checkpoint_every,
        initial=str((out / INITIAL).resolve()) if job.checkpoint else None,
    )
    with (
        joined_processes(),
        without_trace(),
        naming_what_ran_out(recipe.batch // world_size(), *recipe.crop),
    ):
        if rank() == 0:
            write_start(out, as_python(settings), lambda: _initial(job, out))
        wait_for_all()
        history = HistoryHook(out / HISTORY)
        hooks = [FiniteLossHook(), history, *([ProgressHook(progress)] if progress else [])]
        try:
            state = run(settings, out / LOGS, hooks, scored=lambda: history.last is not None)
        finally:
            history.save()
    assert history.last is not None
    earlier = {done: miou for done, miou in history.values.items() if done < recipe.iterations}
    return Outcome(
        scores=history.last, weights=from_segmentor_state(state), seconds=history.seconds, validations=earlier
    )


def _initial(job: TrainingJob, out: Path) -> dict[str, Tensor] | None:
    """The weights to start from, under mmsegmentation's names."""
    state = job.starting_weights(out)
    return to_segmentor_state(state) if state else None


def forget(out: Path) -> None:
    """Remove what only an unfinished training needs."""
    forget_checkpoints(out / LOGS)
