"""The study files that come with the project, by name."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from experiments.search.definition import StudyDefinition, from_mapping, read_tables
from topformer.errors import StudyError, unknown_name

_FOLDER = files("experiments") / "studies"


def names() -> list[str]:
    """Names of the study files that come with the project."""
    return sorted(Path(item.name).stem for item in _FOLDER.iterdir() if item.name.endswith(".toml"))


def study(name: str) -> StudyDefinition:
    """The study of a file, or of a name such as `nano-tokenworld`.

    Args:
        name: A path that ends in `.toml`, or one of `names()`.

    Raises:
        StudyError: No such file or name, or the file's content cannot be used.
    """
    values = study_tables(name)
    try:
        return from_mapping(values)
    except StudyError as error:
        raise StudyError(f"{name}: {error}") from None


def study_tables(name: str) -> dict[str, Any]:
    """The tables of the file that `study` reads, before they are checked.

    Raises:
        StudyError: No such file or name, or no TOML.
    """
    if name.endswith(".toml"):
        return read_tables(Path(name))
    if name not in names():
        raise StudyError(unknown_name("study", name, names()) + "; or a file that ends in .toml")
    with as_file(_FOLDER / f"{name}.toml") as path:
        return read_tables(path)
