"""One training with the lean loop: on one device, batches cut and distorted there."""

import time
from pathlib import Path

from experiments.data.folders import VALIDATION
from experiments.training.claim import CHECKPOINT
from experiments.training.job import TrainingJob
from experiments.training.lean.batches import MEAN, STD
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import Training, seeded
from experiments.training.memory import keep_freed_memory, naming_what_ran_out
from experiments.training.outcome import Outcome, Progress
from experiments.training.processes import choose_device, world_size
from experiments.training.recipes import Recipe
from experiments.training.schedule import WARMUP_START
from experiments.training.scores import scores
from experiments.training.settings import Machine
from experiments.training.tensors import goes_on
from topformer.errors import StudyError

_FIXED = {
    "warmup_factor": WARMUP_START,
    "least_rate": 0.0,
    "mean": MEAN,
    "std": STD,
    "ignore_index": 255,
    "pad_label": 255,
}
"""What the lean loop does not let a recipe choose."""


def check_lean(recipe: Recipe) -> None:
    """The loop does what a recipe asks for.

    Raises:
        StudyError: It does not, or several processes are to share the batch.
    """
    if world_size() > 1:
        raise StudyError(f"the lean loop trains on one device, got {world_size()} processes")
    for name, value in _FIXED.items():
        if getattr(recipe, name) != value:
            raise StudyError(f"the lean loop trains with {name} {value}, got {getattr(recipe, name)}; use --loop mmseg")


def train(
    job: TrainingJob,
    out: Path,
    *,
    machine: Machine | None = None,
    progress: Progress | None = None,
    decoded: Decoded | None = None,
) -> Outcome:
    """Train a network on one device; goes on from the checkpoint that `out` holds, and on a CPU to the same bits.

    `out` gets the checkpoint and, with weights to start from, `start.json`.

    Args:
        job: What is trained.
        out: Folder of this training.
        machine: How it is computed.
        progress: Called after every iteration with the iterations done and all of them.
        decoded: The data set, where several trainings share it.

    Raises:
        StudyError: The recipe or the machine asks for what is not there.
        DataError: An image cannot be read.
        CheckpointError: The weights do not fit.
        EvaluationError: The loss is not finite, or memory runs out.
        StorageError: Something cannot be written, or a checkpoint not be read.
    """
    recipe, machine = job.recipe, machine or Machine()
    check_lean(recipe)
    device = choose_device(machine.device)
    if device.type == "cpu":
        keep_freed_memory()
    data = decoded or Decoded(job.folder, cache=machine.cache)
    with seeded(job.seed, threads=machine.threads), naming_what_ran_out(recipe.batch, *recipe.crop):
        batches = data.batches(recipe, job.seed, device)
        training = Training(job.design, recipe, batches, device=device, compiler=machine.compile)
        if goes_on(out / CHECKPOINT):
            training.load(out / CHECKPOINT)
        elif state := job.starting_weights(out):
            training.model.load_state_dict(state)
        return _run(training, data, out, machine, until=job.until, progress=progress)


def forget(out: Path) -> None:
    """Remove what only an unfinished training needs."""
    (out / CHECKPOINT).unlink(missing_ok=True)


def _run(
    training: Training, data: Decoded, out: Path, machine: Machine, *, until: int | None, progress: Progress | None
) -> Outcome:
    recipe = training.recipe
    validation = data.split(VALIDATION, recipe, training.device)
    training.run(
        out / CHECKPOINT,
        every=min(machine.checkpoint_every, max(1, recipe.iterations // recipe.validations)),
        until=until,
        score=lambda: scores(training.validate(validation)).miou,
        progress=progress,
    )
    started, cpu_started = time.monotonic() - training.seconds, time.process_time() - training.cpu_seconds
    final = scores(training.validate(validation))
    return Outcome(
        scores=final,
        weights={name: value.cpu() for name, value in training.model.state_dict().items()},
        seconds=time.monotonic() - started,
        cpu_seconds=time.process_time() - cpu_started,
        validations=dict(training.history),
    )
