"""Train one network of shared weights for a whole search space, score designs with it, and cut them out."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_json
from experiments.cli.parsing import of, place
from experiments.cli.terminal import bar
from experiments.evaluators.definition import TOKENWORLD
from experiments.training.settings import DEVICES
from topformer.bounds import COUNT, POSITIVE, SEED
from topformer.design_file import read_design
from topformer.errors import StudyError
from topformer.kinds import Integer

if TYPE_CHECKING:
    from experiments.data.folders import SegmentationFolder
    from experiments.evaluators.supernet import SupernetEvaluator
    from experiments.search.definition import StudyDefinition
    from search_space.candidate import Candidate

EXAMPLE = "topformer supernet train nano-tokenworld --out runs/supernet"
_DESIGN = "a preset, or a JSON file of a design, such as a record of a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_train(actions)
    _add_score(actions)
    _add_extract(actions)


def _add_train(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    train = actions.add_parser(
        "train",
        help="train the supernet of a study's space; the same command continues a stopped training",
        epilog=f"example: {EXAMPLE}",
    )
    train.add_argument("study", help="a TOML file, or the name of a study that comes with the project")
    train.add_argument("--out", type=place, default=None, help="run folder; runs/supernet-NAME by default")
    train.add_argument("--data", default=None, help="data set, if not the study's")
    train.add_argument("--iterations", type=of(COUNT), default=None, help="1,400 by default")
    train.add_argument("--batch", type=of(COUNT), default=None, help="images per iteration; 8 by default")
    train.add_argument("--learning-rate", type=of(POSITIVE), default=None, help="peak of AdamW; 0.005 by default")
    train.add_argument("--seed", type=of(SEED), default=None, help="if not the study's")
    train.add_argument("--threads", type=of(COUNT), default=1, help="threads of torch on a CPU")
    train.add_argument("--device", choices=DEVICES, default="auto", help="where it runs")


def _add_score(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    score = actions.add_parser(
        "score",
        help="mIoU of designs with their part of the weights",
        epilog="example: topformer supernet score runs/supernet nano --data data/tokenworld-128-2000-300-seed0",
    )
    _add_run(score)
    score.add_argument("designs", nargs="+", metavar="DESIGN", help=_DESIGN)
    _add_recalibration(score)
    add_json(score)


def _add_extract(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    extract = actions.add_parser(
        "extract",
        help="write a design's part of the weights as a checkpoint of its own",
        epilog="example: topformer supernet extract runs/supernet nano --data data/tokenworld-128-2000-300-seed0 "
        "--out nano.pt",
    )
    _add_run(extract)
    extract.add_argument("design", metavar="DESIGN", help=_DESIGN)
    extract.add_argument("--out", type=place, required=True, metavar="FILE", help="checkpoint to write")
    _add_recalibration(extract)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=place, help="folder that `topformer supernet train` left")


def _add_recalibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=place, default=None, help="data set of the training, if it was moved since")
    parser.add_argument(
        "--recalibration", type=of(Integer(2, 10**6)), default=256, help="images whose statistics BatchNorm takes"
    )
    parser.add_argument("--seed", type=of(SEED), default=0, help="seed of these images")
    parser.add_argument("--threads", type=of(COUNT), default=1, help="threads of torch on a CPU")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where it runs")


def run(args: argparse.Namespace) -> int:
    """Train, score or extract."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {"train": _train, "score": _score, "extract": _extract}
    return actions[args.action](args)


def _train(args: argparse.Namespace) -> int:
    from experiments.training.settings import Machine
    from experiments.training.supernet.train import RECIPE, train_supernet

    study = _study(args)
    names = ("iterations", "batch", "learning_rate")
    recipe = replace(RECIPE, **{name: value for name in names if (value := getattr(args, name)) is not None})
    out = args.out or _run_of(study)
    with bar("iterations") as progress:
        result = train_supernet(
            study.space.build(),
            recipe,
            _data(study),
            out,
            seed=study.seed if args.seed is None else args.seed,
            machine=Machine(device=args.device, threads=args.threads),
            progress=progress,
        )
    print(
        f"{result['parameters']:,} parameters for the {study.space.build().count():,} designs of {study.space.name}, "
        f"{result['iterations']:,} iterations in {result['seconds']:,.0f} s"
    )
    print(f"run folder {out}")
    return 0


def _study(args: argparse.Namespace) -> "StudyDefinition":
    from experiments.search.definition import from_mapping
    from experiments.search.shipped import study_tables

    values = study_tables(args.study)
    if args.data is not None and isinstance(values.get("evaluator"), dict):
        # The table says how the embedded data set is drawn.
        table = {name: value for name, value in values["evaluator"].items() if name != TOKENWORLD}
        values["evaluator"] = {**table, "data": args.data}
    try:
        return from_mapping(values)
    except StudyError as error:
        raise StudyError(f"{args.study}: {error}") from None


def _run_of(study: "StudyDefinition") -> Path:
    """Where a study looks for its supernet, or else a folder that is named after the study."""
    named = study.evaluator.settings.get("run") if study.evaluator.kind == "supernet" else None
    return Path(named) if isinstance(named, str) else Path("runs") / f"supernet-{study.name}"


def _data(study: "StudyDefinition") -> "SegmentationFolder":
    from experiments.data.folders import open_folder
    from experiments.evaluators.definition import study_data

    space = study.space
    folder = study_data(study.evaluator, height=space.height, width=space.width, data=Path("data"), note=print)
    if folder is None:
        raise StudyError(f"a supernet needs data to learn from, which study {study.name} does not name; give --data")
    return open_folder(folder)


def _score(args: argparse.Namespace) -> int:
    made = _evaluator(args)
    found = []
    with TemporaryDirectory() as folder, bar("designs") as progress:
        for number, name in enumerate(args.designs):
            candidate = _candidate(made, name)
            accuracy = made.evaluate(candidate, budget=0, seed=args.seed, folder=Path(folder))
            found.append({"design": name, "fingerprint": candidate.fingerprint, **asdict(accuracy)})
            progress(number + 1, len(args.designs))
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    width = max(len(row["design"]) for row in found)
    print("\n".join(f"{row['design']:<{width}}  {row['value']:6.2f}  {row['fingerprint']}" for row in found))
    print(f"{made.metric} of supernet {made.supernet.digest}")
    return 0


def _extract(args: argparse.Namespace) -> int:
    from experiments.training.supernet.checkpoint import check_place, write_checkpoint

    check_place(args.out)
    made = _evaluator(args)
    candidate = _candidate(made, args.design)
    write_checkpoint(args.out, made.network(candidate, seed=args.seed), made.folder, digest=made.supernet.digest)
    print(f"{args.out}: {args.design} ({candidate.fingerprint}) of supernet {made.supernet.digest}")
    return 0


def _evaluator(args: argparse.Namespace) -> "SupernetEvaluator":
    from experiments.evaluators.supernet import SupernetEvaluator, SupernetSettings
    from experiments.training.supernet.trained import data_of

    settings = SupernetSettings(
        run=str(args.run), recalibration=args.recalibration, device=args.device, threads=args.threads
    )
    return SupernetEvaluator(args.data or data_of(args.run), settings)


def _candidate(made: "SupernetEvaluator", name: str) -> "Candidate":
    base = made.supernet.space.base
    return made.supernet.own(replace(base, design=read_design(name)))
