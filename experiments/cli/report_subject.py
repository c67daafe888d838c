"""What `topformer report` is asked to show: a run, a device or a truth table, by its folder or its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from analysis.records.named_design import RUNS
from analysis.records.record import RECORDS
from search_space.latency.devices import devices, folder_of
from topformer.errors import DesignError, InputError, StudyError, nearest, shown
from topformer.files import read_object


class Kind(StrEnum):
    """What a page can be of."""

    RUN = "run"
    DEVICE = "device"
    TRUTH = "truth"


RULES = (
    "A path is the folder that it names. A name without a slash may be a folder here, a run under runs/, a device or a "
    "truth table that comes with the project; where it is several of these, --kind or a path says which is meant. A "
    "run folder is shown as what made it: a sweep, ablations, or a truth (topformer truth make)."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shown.

    Attributes:
        kind: What it is.
        place: Its folder.
        name: What commands call it.
        is_shipped: Whether it comes with the project.
    """

    kind: Kind
    place: Path
    name: str
    is_shipped: bool = False

    @property
    def words(self) -> str:
        """What it is and where, for messages."""
        return f"the {self.kind} {'that comes with the project' if self.is_shipped else self.place}"


def subject(name: str, kind: Kind | None) -> Subject:
    """What a name means.

    Args:
        name: A folder, a run under `runs/`, a device or a truth table.
        kind: What it is to be taken for; None to find out.

    Raises:
        DesignError: There is no such thing, or it cannot be of that kind.
        InputError: It may mean several things.
        StudyError: It is a folder of something else.
    """
    found = _in_folder(Path(name), name) if Path(name).is_dir() else _by_name(name)
    # The records of a run are a table too, and a truth is a run.
    fits = [one for one in found if kind in (None, one.kind)] or [
        Subject(kind, one.place, name)
        for one in found
        if kind is not None and {one.kind, kind} == {Kind.RUN, Kind.TRUTH} and _is_run(one.place)
    ]
    if len(fits) == 1:
        return fits[0]
    if not found:
        raise DesignError(_unknown(name))
    if not fits:
        kinds = " and ".join(one.kind for one in found)
        raise DesignError(f"--kind must be what {shown(name)} is, a {kinds}, got {kind}")
    means = " and ".join(one.words for one in fits)
    raise InputError(f"{shown(name)} is {means}: say which by --kind, or by its path")


def _in_folder(path: Path, name: str) -> list[Subject]:
    files = {Kind.TRUTH: "protocol.json", Kind.DEVICE: "device.toml"}
    found = [Subject(kind, path, name) for kind, file in files.items() if (path / file).is_file()]
    if _is_run(path):
        found.append(Subject(_kind_of_run(path), path, name))
    # A folder here and what ships may have one name.
    found += [] if "/" in name else [one for one in _by_name(name) if one.place.resolve() != path.resolve()]
    if not found:
        raise StudyError(
            f"{path} must be the run folder of a study (study.json), a device (device.toml) or a truth table "
            "(protocol.json), got none of these files"
        )
    return found


def _by_name(name: str) -> list[Subject]:
    """What a name may mean besides a folder here."""
    from analysis.results import truth_files

    found = []
    run = RUNS / name
    if name and _is_run(run):
        found.append(Subject(_kind_of_run(run), run, name))
    if name.lower() in devices():
        found.append(Subject(Kind.DEVICE, folder_of(name.lower()), name.lower(), is_shipped=True))
    if name in truth_files.names():
        found.append(Subject(Kind.TRUTH, truth_files.folder_of(name), name, is_shipped=True))
    return found


def _is_run(path: Path) -> bool:
    return (path / RECORDS).is_file() or (path / "study.json").is_file()


def _kind_of_run(path: Path) -> Kind:
    study = path / "study.json"
    is_truth = study.is_file() and "strata" in read_object(study, error=StudyError)
    return Kind.TRUTH if is_truth else Kind.RUN


def _unknown(name: str) -> str:
    from analysis.results.truth_files import names

    if Path(name).is_file():
        return (
            f"{name} is a file; name the folder that it is in. Records of ablations: topformer ablate all --from {name}"
        )
    runs: Sequence[str] = sorted({path.parent.name for path in RUNS.glob(f"*/{RECORDS}")})
    known = [*runs, *devices(), *names()]
    near = nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return (
        f"there is no run {shown(name)} here or under {RUNS}/, and no such device or truth table{hint} (devices: "
        f"{', '.join(devices())}; truth tables: {', '.join(names())})"
    )
