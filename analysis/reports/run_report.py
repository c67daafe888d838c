"""What a run folder says: its study, its records, and the files made of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.records.fidelity import Fidelity
from analysis.records.record import RECORDS, JsonlStore, Record, State
from analysis.records.screened import read_screened
from analysis.records.study import read_study
from analysis.reference import ADE20K, PREDICTED
from analysis.reports.study_rungs import StudyRung, study_rungs
from analysis.results.confirmed import by_rung
from analysis.results.pareto import Front, Objective, front
from analysis.results.pruning import wrong_prunes
from topformer import codec
from topformer.errors import DesignError, RecordError, StudyError
from topformer.files import MIB, check_place, read_object, write_text
from topformer.presets import PRESETS, dense_head

if TYPE_CHECKING:
    from analysis.plots.pareto import ParetoPlot
    from analysis.results.power import Noise

STUDY_SCHEMA = 1
"""Version of `study.json`; a reader refuses any other."""


_STUDY_KEYS: Mapping[str, tuple[Any, str]] = {
    "name": (str, "a string"),
    "objectives": (list, "a list"),
    "space": (dict | None, "an object"),
    "limits": (dict | None, "an object"),
    "seed": (int | None, "an integer"),
    "budget": (int | None, "an integer"),
    "evaluator": (dict | None, "an object"),
    "identity": (str | None, "a string"),
}


class ParetoFiles(NamedTuple):
    """The files of a Pareto report."""

    csv: Path
    png: Path
    svg: Path
    markdown: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run folder, read.

    Attributes:
        folder: Where it lies.
        name: Name of the study.
        space: Name of its space and of the base design.
        axes: Axis to its labels, as the study says; empty if it does not.
        objectives: In the order of the study.
        limits: Metric or family of metrics (`latency_ms`, `macs`, `parameters`) to the largest value allowed.
        seed: Seed of the study, if it says.
        budget: Iterations per trial, if it says.
        sampler: What proposed the designs; empty if it does not say.
        records: Oldest first.
        torn: Whether a killed process left an unfinished last line in the records.
        screened: Cost to its value for every design that was costed before the first trial; empty if none was.
        lower: Complete records of the lower rungs of a ladder; `records` then hold the last one, its seeds together.
        noise: Between the seeds of a ladder's last rung, where it is known.
        rungs: Those of a ladder, lowest first; empty for a study without.
    """

    folder: Path
    name: str
    space: str
    axes: Mapping[str, tuple[str, ...]]
    objectives: tuple[Objective, ...]
    limits: Mapping[str, float]
    seed: int | None
    budget: int | None
    sampler: str
    records: tuple[Record, ...]
    torn: bool
    screened: Mapping[str, tuple[float, ...]]
    lower: tuple[Record, ...] = ()
    noise: "Noise | None" = None
    rungs: tuple[StudyRung, ...] = ()


def read_run(folder: Path) -> Run:
    """Read `study.json`, `records.jsonl` and, where it exists, `screened.csv` of a run folder.

    Raises:
        StudyError: `study.json` is missing or says something unusable.
        RecordError: A record or a row of `screened.csv` is broken, or there is no record at all.
        StorageError: A file cannot be read.
    """
    run = read_begun(folder)
    if not run.records:
        raise RecordError(f"no record in {folder / RECORDS}: has the study run?")
    return run


def read_begun(folder: Path) -> Run:
    """As `read_run`, of a study that may have no record yet."""
    study = _read_study(folder / "study.json")
    store = JsonlStore(folder / RECORDS)
    reading = read_study(store, study=study.get("identity"), fidelity=_fidelity(study))
    space, limits = study.get("space") or {}, study.get("limits") or {}
    objectives = tuple(_objective(folder, goal) for goal in study["objectives"])
    found = by_rung(reading.records, _fidelity(study) if "rungs" in study else None, objectives)
    return Run(
        folder=folder,
        name=str(study["name"]),
        space=" around ".join(str(space[key]) for key in ("name", "base") if key in space),
        axes={str(axis): tuple(map(str, labels)) for axis, labels in (space.get("axes") or {}).items()},
        objectives=objectives,
        limits={name: limit for name, limit in limits.items() if isinstance(limit, (int, float))},
        seed=study.get("seed"),
        budget=study.get("budget"),
        sampler=str(study.get("sampler") or ""),
        records=found.records,
        torn=bool(reading.torn),
        screened=screened.costs if (screened := read_screened(folder)) is not None else {},
        lower=found.lower,
        noise=found.noise,
        rungs=study_rungs(folder / "study.json", study),
    )


def write_pareto(run_folder: Path, out: Path | None = None) -> ParetoFiles:
    """Write the Pareto front of a run as `pareto.csv`, `pareto.png`, `pareto.svg` and `pareto.md`.

    Args:
        run_folder: A run folder; its study may still be running.
        out: Folder of the files; the run folder if None.

    Raises:
        RecordError: No complete record has a number for every objective; and as `read_run`.
        StudyError: As `read_run`; fewer than two objectives.
        StorageError: A file cannot be read or written.
        InputError: `out` has another file by one of the names.
    """
    run = read_run(Path(run_folder))
    # Only here, where there is something to draw: matplotlib and pandas take longer to import than the rest to run.
    from analysis.plots.pareto import save_pareto
    from analysis.reports.pareto_table import csv_table, markdown_table

    plot = pareto_plot(run)
    folder = Path(out) if out is not None else run.folder
    files = ParetoFiles(*(folder / f"pareto.{ending}" for ending in ("csv", "png", "svg", "md")))
    notes = "\n".join(plot.caption)
    markdown = f"# {plot.title}\n\n{markdown_table(plot.front, plot.anchors)}\n{notes}\n"
    pieces = csv_table(plot.front)
    first = next(pieces, "")
    if folder.resolve() != run.folder.resolve():
        _check_places(files, first.partition("\n")[0])
    write_text(files.csv, chain([first], pieces))
    write_text(files.markdown, markdown)
    save_pareto(plot, files.png, files.svg)
    return files


def _check_places(files: ParetoFiles, header: str) -> None:
    """The files go where nothing is, or over their like: a table with the same columns tells whose they are."""
    made = _first_line(files.csv) == f"{header}\n"
    for path in (files.csv, files.png, files.svg, files.markdown):
        check_place(path, lambda _: made, (), made="file of topformer pareto on such a study")


def _first_line(path: Path) -> str:
    """The first line of a text file; nothing of any other file, or where there is none."""
    if not path.is_file():
        return ""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(MIB)
    except (OSError, UnicodeDecodeError):
        return ""


def run_front(run: Run) -> Front:
    """The front of a run.

    Raises:
        RecordError: No complete record has a number for every objective; the message says what there is instead.
    """
    ranked = front(run.records, run.objectives)
    if not ranked.records:
        states = Counter(record.state.value for record in run.records)
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        wanted = " and ".join(goal.name for goal in run.objectives)
        raise RecordError(f"no complete trial with {wanted} in {run.folder / 'records.jsonl'} ({counts})")
    return ranked


def pareto_plot(run: Run) -> "ParetoPlot":
    """What the Pareto plot of a run shows; errors as in `run_front`, and StudyError below two objectives."""
    from analysis.plots.clouds import clouds
    from analysis.plots.pareto import ParetoPlot, plot_axes
    from analysis.reference import published_points

    ranked = run_front(run)
    x, y = plot_axes(run.objectives)
    family = x.name.partition("@")[0]
    pruned = (record for record in run.records if record.state is State.PRUNED)
    published = published_points(y.name, x.name) if y.direction == "max" else ()
    return ParetoPlot(
        front=ranked,
        title=f"Pareto front of {run.name}" + (f": designs of {run.space}" if run.space else ""),
        caption=_caption(run, ranked, y, has_published=bool(published)),
        anchors=anchor_names(run.records),
        pruned=tuple(record.metrics[x.name].value for record in pruned if x.name in record.metrics),
        considered=run.screened.get(x.name, run.screened.get(family, ())),
        published=published,
        limit=run.limits.get(x.name, run.limits.get(family)),
        clouds=clouds(run.lower, x, y),
        support={one.fingerprint: str(one.details["support"]) for one in run.records if one.details.get("support")},
    )


def anchor_names(records: Iterable[Record]) -> dict[str, str]:
    """Fingerprint of each anchor to the preset that it is, whatever its number of classes, or to `anchor`."""
    presets = {**PRESETS, "tiny-dense": dense_head(PRESETS["tiny"])}
    names: dict[str, str] = {}
    for record in records:
        if record.origin != "anchor" or record.fingerprint in names:
            continue
        try:
            design = codec.canonical(codec.from_json(dict(record.design)))
        except DesignError:
            # A design of another version is still a result; only its name is unknown.
            names[record.fingerprint] = "anchor"
            continue
        same = (name for name, preset in presets.items()
                if codec.canonical(replace(preset, num_classes=design.num_classes)) == design)  # fmt: skip
        names[record.fingerprint] = next(same, "anchor")
    return names


def _caption(run: Run, ranked: Front, accuracy: Objective, *, has_published: bool) -> tuple[str, ...]:
    states = Counter(record.state for record in run.records)
    sources = {record.metrics[accuracy.name].source for record in ranked.records}
    done = "trained" if sources == {"trained"} else "evaluated"
    screened = max(map(len, run.screened.values()), default=0) or len(run.records)
    counts = (
        f"{states[State.COMPLETE]:,} {done}, {states[State.PRUNED]:,} pruned before training, "
        f"{states[State.FAILED]:,} failed, {screened:,} screened by cost"
    )
    seeds = [run.seed] if run.seed is not None else sorted({record.seed for record in ranked.records})
    budgets = [run.budget] if run.budget is not None else sorted({record.budget for record in ranked.records})
    spent = f"seed {_listed(seeds)}" + (f"; budget {_listed(budgets)} iterations per trial" if any(budgets) else "")
    judged = max((record.details.get("judged", 0) for record in run.records), default=0)
    if judged:
        counts = (
            f"All {judged:,} designs within the limits were judged at once; {states[State.COMPLETE]:,} are recorded: "
            "the front, the presets, the surest and a random sample"
        )
    lines = [f"{counts}; {spent}."]
    wrong = wrong_prunes(run.records, run.limits)
    if wrong is not None and wrong.pruned:
        lines.append(f"{str(wrong).capitalize()}.")
    if ranked.excluded:
        lines.append(f"{ranked.excluded} complete without a number for every objective: left out.")
    if run.noise is not None:
        noise = f"{run.noise.sd:.2f} ({run.noise.designs} designs, {run.noise.source.partition(':')[0]})"
        lines.append(f"Points: means of the seeds; standard deviation between seeds: {noise}.")
    if run.torn:
        lines.append("The last record is unfinished and left out.")
    lines += [_shared_hint(goal.name, ranked) for goal in ranked.objectives]
    return tuple(line for line in (*lines, *_reading_hints(ranked, accuracy, has_published=has_published)) if line)


def _reading_hints(ranked: Front, accuracy: Objective, *, has_published: bool) -> tuple[str, str]:
    """How the plot is to be read; and what the published points in it are."""
    hints = []
    names = [goal.name for goal in ranked.objectives]
    if any(record.metrics[name].low is not None for record in ranked.records for name in names):
        hints.append("Thin bars: 95 % intervals.")
    if len(names) > 2:
        hints.append(f"The front is that of {len(names)} objectives: {', '.join(names)}.")
    if accuracy.name.startswith(PREDICTED):
        hints.append("The accuracy is predicted from published ones, of one training.")
    elif accuracy.name.startswith("miou@") and accuracy.name != ADE20K:
        hints.append(f"{accuracy.name} is not comparable with published mIoU on ADE20K.")
    published = "Published points: other training schedules; searched ones are single runs, not peer reviewed."
    return " ".join(hints), published if has_published else ""


def _shared_hint(name: str, ranked: Front) -> str:
    """How much of a metric's error is that of all designs, where records say it."""
    told = [metric for record in ranked.records if (metric := record.metrics[name]).own_sd is not None]
    if not told:
        return ""
    shared, own = (median(part) for part in ([m.shared_sd or 0.0 for m in told], [m.own_sd or 0.0 for m in told]))
    return f"Error of {name} (sd): {shared:.1%} shared, moving all points together; {own:.1%} single, thick bars."


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _read_study(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise StudyError(f"no study.json in {path.parent}: it must be the run folder of a study")
    study: dict[str, Any] = read_object(path, error=StudyError)
    if study.get("schema") != STUDY_SCHEMA:
        raise StudyError(f"{path} must be an object whose schema is {STUDY_SCHEMA}")
    for key, (kind, accepted) in _STUDY_KEYS.items():
        if not isinstance(study.get(key), kind):
            raise StudyError(f"{path}: {key} must be {accepted}, got {study.get(key)!r}")
    return study


def _fidelity(study: Mapping[str, Any]) -> Fidelity | None:
    """What the study's accuracies are obtained with; None where it does not say."""
    space, settings = study.get("space") or {}, study.get("evaluator") or {}
    if "kind" not in settings or not {"height", "width"} <= space.keys() or "budget" not in study:
        return None
    return Fidelity.of(settings, height=space["height"], width=space["width"], budget=study["budget"])


def _objective(folder: Path, goal: object) -> Objective:
    if not isinstance(goal, dict) or not isinstance(goal.get("metric"), str):
        raise StudyError(f"{folder / 'study.json'}: an objective must have a metric and a direction, got {goal!r}")
    match goal.get("direction"):
        case "minimize":
            return Objective(goal["metric"], "min")
        case "maximize":
            return Objective(goal["metric"], "max")
        case other:
            raise StudyError(
                f"{folder / 'study.json'}: direction of {goal['metric']} must be minimize or maximize, got {other!r}"
            )
