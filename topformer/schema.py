"""Tables of settings as dataclasses, whose fields say kind, default and meaning; all mistakes of a table at once.

A key of a file is one field, with `key` as its metadata:

    trials: int = field(metadata=key(COUNT, "Evaluated designs asked for."))

`read` makes the dataclass of a table of TOML or JSON, `check` tests one value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from topformer.errors import DesignError, ExplorerError, InputError, StudyError, nearest, shown, unknown_name
from topformer.kinds import JsonSchema, Kind, Text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Definition = TypeVar("Definition", bound=DataclassInstance)


def key(kind: Kind, meaning: str) -> Mapping[str, Any]:
    """The metadata of a field that is a key of a file."""
    return MappingProxyType({"kind": kind, "meaning": meaning})


def keys(definition: "type[DataclassInstance]") -> Iterator[tuple[str, Field[Any], Kind]]:
    """Name, field and kind of every key, in order; fields that are no keys are left out."""
    return ((item.name, item, item.metadata["kind"]) for item in fields(definition) if "kind" in item.metadata)


def declared(definition: "type[DataclassInstance]", entry: Sequence[str]) -> tuple[Kind, str]:
    """Kind and meaning of a key of a table or of a table inside it, such as `("space", "name")`."""
    name, *inner = entry
    metadata = next(item.metadata for known, item, _ in keys(definition) if known == name)
    kind: Kind = metadata["kind"]
    if inner:
        assert isinstance(kind, Section)
        return declared(kind.definition, inner)
    return kind, str(metadata["meaning"])


def read(
    definition: "type[Definition]",
    values: object,
    where: str = "",
    *,
    whole: str = "a study",
    error: type[ExplorerError] = StudyError,
) -> "Definition":
    """The dataclass of a table.

    Args:
        definition: The dataclass.
        values: The table.
        where: Dotted name for messages, such as `space`; empty for the file itself.
        whole: What the file is, where a message speaks of it.
        error: What is raised.

    Raises:
        error: `values` is no table, or keys, types or values are wrong; the message lists all of them.
    """
    refuse(table_problems(definition, values, where, whole=whole), error)
    return _made(definition, values, where)


def check(name: str, value: object, kind: Kind, error: type[ExplorerError] = DesignError) -> None:
    """One value is accepted.

    Raises:
        error: It is not; the message names it and says what is.
    """
    if problems := kind.problems(name, value):
        refuse(problems, error)


def check_member(name: str, value: object, kind: type[StrEnum]) -> None:
    """`value` is a member of the enumeration `kind`.

    Raises:
        DesignError: It is not.
    """
    if isinstance(value, kind):
        return
    members = {member.value: member.name for member in kind}
    if isinstance(value, str) and value in members:
        raise DesignError(f"{name} must be {kind.__name__}.{members[value]}, got the text {value!r}")
    raise DesignError(unknown_name(name, value, members))


def refuse(problems: Iterable[str], error: type[ExplorerError]) -> None:
    """Raise an error that lists the problems, a line each; a single one is the message itself."""
    found = list(problems)
    if found:
        raise error(found[0] if len(found) == 1 else f"{len(found)} mistakes:\n  " + "\n  ".join(found))


def table_problems(
    definition: "type[DataclassInstance]", values: object, where: str = "", *, whole: str = "a study"
) -> list[str]:
    """What is wrong with a table: unknown and wrong keys in the table's order, then those that are missing."""
    if not isinstance(values, Mapping):
        return [f"{where or whole} must be a table, got {shown(values)}"]
    known = {name: (item, kind) for name, item, kind in keys(definition)}
    found = []
    for name, value in values.items():
        if name in known:
            found += known[name][1].problems(_dotted(where, name), value)
        else:
            found.append(unknown_name(f"key of {where or whole}", name, known))
    # A misspelt key is one mistake: the key that was meant is not missing as well.
    meant = {nearest(name, known) for name in values if name not in known}
    found += [
        f"{_dotted(where, name)} is missing"
        for name, (item, _) in known.items()
        if name not in values and name not in meant and is_required(item)
    ]
    return found or _contradictions(definition, values, where)


def json_schema(definition: "type[DataclassInstance]") -> JsonSchema:
    """A table as JSON Schema, draft 4, for editors: it accepts what `read` does, one key at a time.

    What keys say together, such as two numbers of which one is the larger, stays with `read`.
    """
    known = {}
    for name, item, kind in keys(definition):
        value = default(item)
        shown_default = {} if value in (None, "") else {"default": value}
        known[name] = {**kind.json_schema(), "description": item.metadata["meaning"], **shown_default}
    required = [name for name, item, _ in keys(definition) if is_required(item)]
    # Draft 4 knows no empty list of required keys.
    asked = {"required": required} if required else {}
    return {"type": "object", "properties": known, **asked, "additionalProperties": False}


def default(item: Field[Any]) -> Any:
    """What an absent key means, as plain JSON; None where the key is required or absent means nothing."""
    made = item.default_factory() if item.default_factory is not MISSING else item.default
    if made is MISSING or is_dataclass(made):
        return None
    return list(made) if isinstance(made, tuple) else made


def is_required(item: Field[Any]) -> bool:
    """Whether a key must be there."""
    return item.default is MISSING and item.default_factory is MISSING


@dataclass(frozen=True, slots=True)
class Section(Kind):
    """A table with a definition of its own.

    Attributes:
        definition: The dataclass.
        short: A key of it whose value alone may stand for the table: `workers = 2` for `workers.count = 2`.
    """

    definition: "type[DataclassInstance]"
    short: str = ""

    def problems(self, where: str, value: object) -> list[str]:
        """Those of every key; an object is right already."""
        if isinstance(value, self.definition):
            return []
        if self.short and not isinstance(value, Mapping):
            return declared(self.definition, (self.short,))[0].problems(where, value)
        return table_problems(self.definition, value, where)

    def json_schema(self) -> JsonSchema:
        """That of the definition, or of the key that may stand for it."""
        whole = json_schema(self.definition)
        if not self.short:
            return whole
        return {"anyOf": [whole, declared(self.definition, (self.short,))[0].json_schema()]}

    def read(self, where: str, value: Any) -> Any:
        """As the dataclass."""
        return value if isinstance(value, self.definition) else _made(self.definition, self.table(value), where)

    def table(self, value: Any) -> Any:
        """The table that a value stands for, or the value where it stands for none."""
        return {self.short: value} if self.short and not isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class Sections(Kind):
    """A list of tables with one definition; in messages each goes by its label, or by its number without one."""

    definition: "type[DataclassInstance]"
    item: str

    def problems(self, where: str, value: object) -> list[str]:
        """Those of every key of every table."""
        if not isinstance(value, (list, tuple)):
            return [f"{where} must be a list, got {shown(value)}"]
        named = [(self._name(number, item), item) for number, item in enumerate(value, start=1)]
        return [problem for name, item in named for problem in table_problems(self.definition, item, name)]

    def json_schema(self) -> JsonSchema:
        """A list of what the definition says."""
        return {"type": "array", "items": json_schema(self.definition)}

    def read(self, where: str, value: Any) -> tuple[Any, ...]:  # noqa: ARG002
        """As dataclasses."""
        return tuple(_made(self.definition, item, self._name(number, item)) for number, item in enumerate(value, 1))

    def _name(self, number: int, item: object) -> str:
        label = item.get("label") if isinstance(item, Mapping) else None
        return f"{self.item}s[{number}]" if Text().problems("", label) else f"{self.item} {label!r}"


def _made(definition: "type[Definition]", values: Any, where: str) -> "Definition":
    kinds = {name: kind for name, _, kind in keys(definition)}
    return definition(**{name: kinds[name].read(_dotted(where, name), value) for name, value in values.items()})


def _contradictions(definition: "type[DataclassInstance]", values: Mapping[str, Any], where: str) -> list[str]:
    """What the dataclass itself says of values that are right one by one."""
    try:
        _made(definition, values, where)
    except InputError as error:
        return [str(error)]
    return []


def _dotted(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
