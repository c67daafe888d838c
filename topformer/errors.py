"""The one tree of errors that a user can cause or meet.

    ExplorerError
      + InputError (ValueError)     a value that the user gave cannot be used; exit status 2
      |   + DesignError             a design that no network can be built from
      |   + SpaceError              a search space, axis or label that does not exist or does not apply
      |   + StudyError              a study file, or a run folder that belongs to another study
      |   + DataError               a data set with missing, broken or inconsistent files
      |   + CheckpointError         weights that do not fit the network
      + UnknownOperator             a cost cannot be stated
      + RecordError                 a stored record cannot be read
      + EvaluationError             an accuracy could not be obtained; the trial becomes a failed record
      |   + MachineError            the machine was the cause, not the design: it may work another time
      + StorageError                a disk or a database that does not take or give what it should

The command line prints the message of any of them and nothing else; see `experiments.cli`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from reprlib import Repr


class ExplorerError(Exception):
    """Base of every error that TopFormer Explorer raises on purpose; exit status 1."""


class InputError(ExplorerError, ValueError):
    """A value that the user gave cannot be used; exit status 2."""


class DesignError(InputError):
    """A design that no network can be built from."""


class SpaceError(InputError):
    """A search space, axis or label that does not exist or does not apply."""


class StudyError(InputError):
    """A study file with wrong keys or values, or a run folder that belongs to another study."""


class DataError(InputError):
    """A data set with missing, broken or inconsistent files."""


class CheckpointError(InputError):
    """Weights that do not fit the network they are loaded into."""


class UnknownOperator(ExplorerError):
    """A cost cannot be stated, because an operation has no counting rule."""


class RecordError(ExplorerError):
    """A stored record cannot be read."""


class EvaluationError(ExplorerError):
    """An accuracy could not be obtained, for instance because the loss is not finite."""


class MachineError(EvaluationError):
    """The machine gave no accuracy: memory ran out, or a process was ended. The design may do well another time."""


class StorageError(ExplorerError):
    """A disk or a database that does not take or give what it should."""


_REPR = Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 5, 200, 200
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 30
_MOST_BITS = 256


def shown(value: object) -> str:
    """A value as a message shows it: like `repr`, cut where it is long, deep, or a number of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"an integer of {value.bit_length():,} bits"
    return _REPR.repr(value)


def printable(text: str) -> str:
    """A message without control characters, which would command the terminal; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def nearest(given: object, accepted: Iterable[str]) -> str | None:
    """The name that `given` is probably meant to be, or None where none is near."""
    near = get_close_matches(str(given)[:100].lower(), list(accepted), n=1)
    return near[0] if near else None


def unknown_name(what: str, given: object, accepted: Iterable[str]) -> str:
    """The message for a name that is not in a list, with the nearest one that is.

    Example: `unknown_name("preset", "bse", ["base", "tiny"])` gives
    "unknown preset 'bse'; did you mean 'base'? accepted: base, tiny".
    """
    names = list(accepted)
    near = nearest(given, names)
    hint = f"; did you mean {near!r}?" if near else ";"
    return f"unknown {what} {shown(given)}{hint} accepted: {', '.join(names)}"
