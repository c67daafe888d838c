"""Where an accuracy comes from, as data; and what makes the evaluator from it, here and in every worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.evaluators import EVALUATORS, evaluator
from experiments.implementations import canonical, choice
from topformer.bounds import COUNT, SEED
from topformer.errors import StudyError
from topformer.kinds import Anything, Text
from topformer.schema import Section, key

if TYPE_CHECKING:
    from experiments.evaluators.base import EvaluatorMaker

TOKENWORLD = "tokenworld"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenworld:
    """The embedded data set that a study makes for itself: images of the study's own size."""

    training: int = field(default=2000, metadata=key(COUNT, "Number of training images."))
    validation: int = field(default=300, metadata=key(COUNT, "Number of validation images."))
    seed: int = field(default=0, metadata=key(SEED, "Seed of the whole set."))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorDefinition:
    """Where the accuracy comes from."""

    kind: str = field(metadata=key(choice(EVALUATORS), "Evaluator."))
    data: str = field(
        default="",
        metadata=key(
            Text(),
            "`tokenworld`, or a folder in ADE20K layout; a relative path starts at the current folder. Left out where "
            "none is needed.",
        ),
    )
    budget: int = field(
        default=0, metadata=key(COUNT, "Iterations of each training; left out where nothing is trained.")
    )
    settings: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=key(Anything(table=True), "Settings of that evaluator that differ from its defaults."),
    )
    tokenworld: Tokenworld = field(
        default_factory=Tokenworld,
        metadata=key(Section(Tokenworld), "The set that is made where `data` is tokenworld."),
    )

    def __post_init__(self) -> None:
        entry = EVALUATORS[canonical("evaluator", self.kind, EVALUATORS, StudyError)]
        needs = {"data": (entry.needs_data, "works on a data set"), "budget": (entry.trains, "trains for so long")}
        for name, (is_needed, why) in needs.items():
            given = getattr(self, name)
            if is_needed and not given:
                raise StudyError(f"evaluator.{name} is missing: {self.kind!r} {why}")
            if given and not is_needed:
                raise StudyError(f"evaluator.{name} must be left out, as {self.kind!r} needs none, got {given!r}")

    @property
    def uses_gpu(self) -> bool:
        """Whether evaluations use a GPU where there is one, as every training does that is not told otherwise."""
        return self.settings.get("device") != "cpu"


def study_evaluator(
    definition: EvaluatorDefinition, *, height: int, width: int, data: Path, note: Callable[[str], None]
) -> "EvaluatorMaker":
    """What makes the evaluator; its embedded data set is written where it is not there yet.

    Args:
        definition: Where the accuracy comes from.
        height: Input height of the candidates in pixels.
        width: Input width.
        data: Where the embedded data set is kept, if it is asked for.
        note: Told when images are drawn.

    Raises:
        StudyError: Images of the embedded set are square, the study's are not.
        DataError: The folder holds another data set.
        StorageError: The disk does not take the images.
    """
    folder = study_data(definition, height=height, width=width, data=data, note=note)
    # Plain values, because a worker gets them by pickle.
    return partial(evaluator, definition.kind, folder, dict(definition.settings))


def study_data(
    definition: EvaluatorDefinition, *, height: int, width: int, data: Path, note: Callable[[str], None]
) -> Path | None:
    """The data set, where there is one; arguments and errors as in `study_evaluator`."""
    if definition.data == TOKENWORLD:
        return _write_tokenworld(definition.tokenworld, height, width, data, note)
    return Path(definition.data) if definition.data else None


def checked_evaluator(
    definition: EvaluatorDefinition, *, height: int, width: int, data: Path, spare: Path
) -> "EvaluatorMaker":
    """What makes the evaluator, once it was made: its settings, data and checkpoint can be used.

    An embedded data set that is not there yet is not drawn: one image for each split stands for it.

    Args:
        definition: Where the accuracy comes from.
        height: Input height of the candidates in pixels.
        width: Input width.
        data: Where the embedded data set is kept.
        spare: Folder for what stands for it.

    Raises:
        InputError: As `study_evaluator` and `experiments.evaluators.evaluator`.
        StorageError: The disk does not take the images.
    """
    wanted = definition.tokenworld
    if definition.data == TOKENWORLD and not _tokenworld(wanted, height, data).exists():
        definition = replace(definition, tokenworld=replace(wanted, training=1, validation=1))
        data = spare
    make = study_evaluator(definition, height=height, width=width, data=data, note=lambda _text: None)
    make()
    return make


def _tokenworld(wanted: Tokenworld, size: int, data: Path) -> Path:
    return data / f"{TOKENWORLD}-{size}-{wanted.training}-{wanted.validation}-seed{wanted.seed}"


def _write_tokenworld(wanted: Tokenworld, height: int, width: int, data: Path, note: Callable[[str], None]) -> Path:
    from experiments.data.tokenworld.write import write_tokenworld

    if width != height:
        raise StudyError(f"images of {TOKENWORLD} are square, got space.height {height} and width {width}")
    folder = _tokenworld(wanted, height, data)
    if not folder.exists():
        note(f"drawing {wanted.training + wanted.validation:,} images of {TOKENWORLD} into {folder}")
    return write_tokenworld(
        folder, size=height, training=wanted.training, validation=wanted.validation, seed=wanted.seed
    )
