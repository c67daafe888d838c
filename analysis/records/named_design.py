"""Designs as users name them: a preset, a JSON file, or `RUN:FINGERPRINT`, a design of the records of a run."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from analysis.records.record import RECORDS, Record
from analysis.records.soundness import sound_records
from topformer.codec import fingerprint, from_json
from topformer.design import Design
from topformer.design_file import SizedDesign, read_sized
from topformer.errors import DesignError, nearest, shown
from topformer.files import check_regular

FORMS = "a preset, a JSON file of a design or of a record, or RUN:FINGERPRINT"
"""What `named_design` accepts, for messages and help."""
RUNS = Path("runs")
"""Where a run is looked for that is no folder by its own name."""
_LISTED = 5
"""Fingerprints that a message names."""


def named_design(text: str) -> Design:
    """The design that a text names; errors as in `sized_design`."""
    return sized_design(text).design


def sized_design(text: str) -> SizedDesign:
    """The design that a text names, with the input size that it was recorded at.

    Args:
        text: The name of a preset; a JSON file of a design or of a record, or such JSON itself; or `RUN:FINGERPRINT`,
            where RUN is a run folder or its name under `runs/`, and FINGERPRINT the beginning of the fingerprint of
            one of its designs.

    Raises:
        DesignError: It names nothing, or more than one design; the message says what there is.
        RecordError: A record of the run is broken.
        StorageError: The records cannot be read.
    """
    run, colon, prefix = text.rpartition(":")
    if not colon or text.lstrip().startswith("{") or Path(text).suffix == ".json":
        return read_sized(text)
    return _recorded(run_folder(run), prefix)


def file_stem(text: str) -> str:
    """What a file or folder is called that is made of a named design, such as `nano-d86f` of `runs/nano:d86f`."""
    if text.lstrip().startswith("{"):
        return fingerprint(named_design(text))
    return Path(text).stem.replace(":", "-")


def run_folder(text: str) -> Path:
    """The run folder of that name, there or under `runs/`.

    Raises:
        DesignError: There is none with records in it.
    """
    if not text.strip() or not text.isprintable():
        raise DesignError(f"a run must be named, a folder or one under {RUNS}/, got {shown(text)}")
    places = [Path(text), RUNS / text]
    for folder in places:
        if _is_there(folder / RECORDS):
            check_regular(folder / RECORDS, what="records", error=DesignError)
            return folder
    known = sorted(path.parent.name for path in RUNS.glob(f"*/{RECORDS}"))
    near = nearest(text, known)
    hint = f"; did you mean {near!r}?" if near else ""
    raise DesignError(f"there is no run {shown(text)}: no {RECORDS} in {' or '.join(map(str, places))}{hint}")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise DesignError(f"cannot read {shown(str(path))}: {error.strerror or error}") from None


def _recorded(folder: Path, prefix: str) -> SizedDesign:
    """The design of a run whose fingerprint begins so."""
    records = sound_records(folder / RECORDS)
    found = [record for record in records if record.fingerprint.startswith(prefix.lower())]
    designs = {_of_design(record): record for record in found}
    if not prefix or len(designs) != 1:
        raise DesignError(_no_single(folder, prefix, designs or map(_of_design, records), is_found=bool(designs)))
    sizes = {(record.height, record.width) for record in found}
    design = from_json(dict(next(iter(designs.values())).design))
    return SizedDesign(design, sizes.pop() if len(sizes) == 1 else None)


def _of_design(record: Record) -> str:
    """The part of a fingerprint that does not depend on the input size."""
    return record.fingerprint.partition("@")[0]


def _no_single(folder: Path, prefix: str, fingerprints: Iterable[str], *, is_found: bool) -> str:
    listed = sorted(set(fingerprints))
    if not listed:
        return f"no design is recorded in {folder} yet"
    some = ", ".join(islice(listed, _LISTED)) + (", ..." if len(listed) > _LISTED else "")
    if is_found:
        return (
            f"the beginning of a fingerprint in {folder} must name one design, "
            f"got {shown(prefix)}, which fits {len(listed):,}: {some}"
        )
    return f"no design of {folder} has a fingerprint that begins with {shown(prefix)}; it has {len(listed):,}: {some}"
