"""Tables of implementations, such as samplers and evaluators: from each come the maker, the help and the error list."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from topformer.errors import InputError, unknown_name
from topformer.kinds import Choice


@dataclass(frozen=True, slots=True)
class Implementation:
    """One entry of a table.

    Attributes:
        path: Where what makes it is, such as `experiments.evaluators.lean:LeanEvaluator`; loaded when it is asked
            for, because torch, Optuna and mmsegmentation take seconds to load.
        help: What it is, in one line.
        aliases: Other names that are accepted for it.
    """

    path: str
    help: str
    aliases: tuple[str, ...] = ()

    def load(self) -> Any:
        """What `path` names."""
        module, _, name = self.path.partition(":")
        return getattr(import_module(module), name)


def canonical(what: str, name: str, table: Mapping[str, Implementation], error: type[InputError] = InputError) -> str:
    """The name of an entry, given that or an alias.

    Args:
        what: What the table holds, for the message, such as `sampler`.
        name: A name.
        table: The table.
        error: What to raise.

    Raises:
        InputError: There is no such entry; the message offers the nearest.
    """
    for entry, implementation in table.items():
        if name == entry or name in implementation.aliases:
            return entry
    raise error(unknown_name(what, name, table))


def choice(table: Mapping[str, Implementation]) -> Choice:
    """The names of a table and their aliases, as what a key of a file accepts."""
    return Choice(table, {alias: name for name, entry in table.items() for alias in entry.aliases})


def listed(names: Iterable[str]) -> str:
    """Names as help texts show them: `tpe, nsga2 or random`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
