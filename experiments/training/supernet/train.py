"""A supernet trained in a folder of its own; an interrupted training goes on, a finished one answers."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments.data.folders import SegmentationFolder
from experiments.training.checks import check_training
from experiments.training.claim import CHECKPOINT, claimed, data_identity
from experiments.training.lean.decoded import Decoded
from experiments.training.lean.loop import seeded
from experiments.training.lean.train import check_lean
from experiments.training.memory import keep_freed_memory, naming_what_ran_out
from experiments.training.outcome import RESULT, WEIGHTS, Progress
from experiments.training.processes import choose_device
from experiments.training.recipes import SCRATCH, Recipe, with_size
from experiments.training.settings import Machine
from experiments.training.supernet.draws import Draws
from experiments.training.supernet.training import ALONE, LARGEST_NORM, SupernetTraining
from experiments.training.tensors import goes_on, write_tensors
from search_space.spaces.space import Space, space
from topformer.codec import from_json, to_json
from topformer.errors import StorageError
from topformer.files import read_object, write_json
from topformer.weights.store import Store

SUPERNET = "supernet.json"
"""What a run folder of a supernet holds, and by which it is known."""
VERSION = "1"
"""Part of the identity of every supernet: it rises when the same settings begin to give other weights."""
RECIPE = replace(SCRATCH, name="supernet", iterations=1400, learning_rate=5e-3)
"""What a supernet is trained by where nothing says otherwise."""


def train_supernet(
    wanted: Space,
    recipe: Recipe,
    folder: SegmentationFolder,
    out: Path,
    *,
    seed: int = 0,
    machine: Machine | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train the supernet of a space; on a CPU an interrupted one goes on to the same bits.

    `out` gets `supernet.json`, `weights.pt` with the store, and `result.json`.

    Args:
        wanted: The space; its classes become the data's.
        recipe: The training; its size becomes the space's.
        folder: The data set.
        out: Folder of this training.
        seed: Of initialisation, designs, data order and augmentation.
        machine: How it is computed.
        progress: Called after every iteration with the iterations done and all of them.

    Returns:
        The content of `result.json`: iterations, seconds, parameters, seed, and where the data lay.

    Raises:
        StudyError: `out` holds another training, or the machine cannot do what is asked for.
        SpaceError: The space cannot be shared: it varies the size of the image.
        DataError: The folder lacks something, or a file in it cannot be read.
        EvaluationError: The loss is not finite, or memory runs out.
        StorageError: The disk does not take a file, or a checkpoint cannot be read.
    """
    machine = machine or Machine()
    wanted = rebuilt({**space_to_json(wanted), "classes": folder.num_classes})
    recipe = with_size(recipe, wanted.base.height, wanted.base.width)
    check_lean(recipe)
    check_training(recipe, folder, seed=seed)
    draws = Draws.of(wanted)
    with claimed(out, _identity(wanted, draws, recipe, folder, seed), name=SUPERNET):
        if (out / RESULT).exists() and (out / WEIGHTS).exists():
            return read_object(out / RESULT)
        training = _trained(draws, recipe, folder, out, seed, machine, progress)
        store = training.store
        result = {
            "iterations": recipe.iterations,
            "seconds": training.seconds,
            "parameters": sum(value.numel() for value in store.values.values()),
            "seed": seed,
            "data": str(folder.root.resolve()),
        }
        write_tensors(out / WEIGHTS, {"axes": store.to_json(), "values": training.tensors()})
        write_json(out / RESULT, result)
        (out / CHECKPOINT).unlink(missing_ok=True)
        return result


def _identity(wanted: Space, draws: Draws, recipe: Recipe, folder: SegmentationFolder, seed: int) -> dict[str, Any]:
    """Everything that the weights depend on, as plain JSON."""
    return {
        "kind": "supernet",
        "version": VERSION,
        "space": space_to_json(wanted),
        "recipe": asdict(recipe),
        "data": data_identity(folder),
        "seed": seed,
        "rule": {"random": draws.random, "alone": ALONE, "clip": LARGEST_NORM},
    }


def _trained(
    draws: Draws,
    recipe: Recipe,
    folder: SegmentationFolder,
    out: Path,
    seed: int,
    machine: Machine,
    progress: Progress | None,
) -> SupernetTraining:
    device = choose_device(machine.device)
    if device.type == "cpu":
        keep_freed_memory()
    with ExitStack() as stack:
        stack.enter_context(seeded(seed, threads=machine.threads))
        stack.enter_context(naming_what_ran_out(recipe.batch, *recipe.crop))
        batches = Decoded(folder, cache=machine.cache, stacked=True).batches(recipe, seed, device)
        store = Store.union(draws.corners())
        training = SupernetTraining(store, draws, recipe, batches, seed=seed, device=device)
        if goes_on(out / CHECKPOINT):
            training.load(out / CHECKPOINT)
        training.run(out / CHECKPOINT, every=machine.checkpoint_every, progress=progress)
    return training


def space_to_json(wanted: Space) -> dict[str, Any]:
    """A named space as plain JSON, from which `rebuilt` makes it again."""
    return {
        "name": wanted.name,
        "base": to_json(wanted.base.design),
        "height": wanted.base.height,
        "width": wanted.base.width,
        "axes": {axis.name: list(axis.labels) for axis in wanted.axes},
    }


def rebuilt(said: Mapping[str, Any]) -> Space:
    """The space that `space_to_json` described, with other classes where `classes` says so.

    Raises:
        StorageError: Something is missing.
        InputError: The space cannot be made; this version does not know it, or one of its labels.
    """
    try:
        base = from_json(said["base"])
        base = replace(base, num_classes=said.get("classes", base.num_classes))
        return space(said["name"], base=base, height=said["height"], width=said["width"], only=said["axes"])
    except KeyError as error:
        raise StorageError(f"the space of a supernet must say {error}") from None
