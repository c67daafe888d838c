"""A Design as plain JSON, its canonical form, and its fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from math import inf, nextafter
from typing import Any

from topformer.design import Block, Bottleneck, Design, Extractor, Head, Injection, Pooled, Stem
from topformer.errors import DesignError, unknown_name
from topformer.kinds import is_integer

SCHEMA = 1
"""Version of the JSON form; a reader refuses any other."""

_ENUMS: Mapping[str, type[StrEnum]] = {"pooled": Pooled, "extractor": Extractor, "injection": Injection, "head": Head}
_TUPLES = frozenset({"taps", "injected"})


def canonical(design: Design) -> Design:
    """The one representative of all designs that build the same network.

    Fields that the chosen kinds do not use return to their defaults, ratios become the quotient of the widths
    that they stand for, and a concatenation of one scale is a sum of one scale. Idempotent.
    """
    plain = Block()
    blocks = tuple(_canonical_block(block, design.embedding) for block in design.blocks) if design.has_blocks else ()
    if design.extractor is Extractor.FFN:
        blocks = tuple(replace(plain, ffn_ratio=block.ffn_ratio) for block in blocks)
    single_concat = design.head is Head.CONCAT and len(design.injected) == 1
    return replace(
        design,
        blocks=blocks,
        extra_ffns=_canonical_extra(design) if design.extractor is Extractor.FFN else 1,
        head=Head.SUM if single_concat else design.head,
    )


def _canonical_block(block: Block, embedding: int) -> Block:
    return replace(
        block,
        attention_ratio=_quotient(block.value_dim, block.key_dim),
        ffn_ratio=_quotient(block.hidden(embedding), embedding),
    )


def _canonical_extra(design: Design) -> float:
    """An integer where it is whole, and where a single block rounds it down."""
    whole = design.extra_ffns % 1 == 0 or design.depth == 1
    return int(design.extra_ffns) if whole else design.extra_ffns


def _quotient(product: int, factor: int) -> float:
    """The ratio r of smallest error for which int(r * factor) is `product`."""
    ratio = product / factor
    return ratio if int(ratio * factor) == product else nextafter(ratio, inf)


_REBUILT: Mapping[str, str] = {"concat": "concat, each scale reduced"}
"""Head that is built otherwise than it once was to its name in fingerprints: old records are not of the new network."""


def fingerprint(design: Design) -> str:
    """Twelve hexadecimal digits that equal networks share and, but for a hash collision, no others."""
    return fingerprints(design)[0]


def fingerprints(design: Design) -> tuple[str, str]:
    """The fingerprint of a design, and the one it had in 0.1."""
    return fingerprints_of_text(json.dumps(to_json(canonical(design)), sort_keys=True, separators=(",", ":")))


def fingerprints_of_text(text: str) -> tuple[str, str]:
    """The fingerprint of a canonical design as JSON without spaces, its keys in order; and the one it had in 0.1."""
    now = text
    for head, rebuilt in _REBUILT.items():
        now = now.replace(f'"head":"{head}"', f'"head":"{rebuilt}"')
    current = _digest(now)
    return current, current if now == text else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_json(design: Design) -> dict[str, Any]:
    """The design as plain JSON values, with the number of its schema; `from_json` is the inverse."""
    values = {item.name: getattr(design, item.name) for item in fields(design)}
    return {
        "schema": SCHEMA,
        **values,
        **{name: values[name].value for name in _ENUMS},
        **{name: list(values[name]) for name in _TUPLES},
        "stem": _row_to_json(design.stem),
        "rows": [_row_to_json(row) for row in design.rows],
        "blocks": [_row_to_json(block) for block in design.blocks],
    }


def _row_to_json(row: Stem | Bottleneck | Block) -> dict[str, float]:
    return {item.name: getattr(row, item.name) for item in fields(row)}


def from_json(value: object) -> Design:
    """The design of a JSON object made by `to_json`, or written by hand; absent keys take their defaults.

    Raises:
        DesignError: Wrong schema, key, type or value; the message names the field.
    """
    data = dict(_mapping("design", value))
    schema = data.pop("schema", SCHEMA)
    if schema != SCHEMA or not is_integer(schema):
        raise DesignError(f"design.schema must be {SCHEMA}, got {schema!r}")
    _check_keys("design", data, Design)
    for name in sorted({"rows", "taps"} - set(data)):
        raise DesignError(f"design.{name} is missing")
    for name, kind in _ENUMS.items():
        if name in data:
            data[name] = _enum(f"design.{name}", data[name], kind)
    for name in _TUPLES & set(data):
        data[name] = tuple(_integers(f"design.{name}", data[name]))
    if "stem" in data:
        data["stem"] = _row("design.stem", data["stem"], Stem)
    for name, row in (("rows", Bottleneck), ("blocks", Block)):
        if name in data:
            data[name] = tuple(
                _row(f"design.{name}[{i}]", v, row) for i, v in enumerate(_list(f"design.{name}", data[name]))
            )
    return Design(**data)


def _row(where: str, value: object, kind: type[Any]) -> Any:
    data = _mapping(where, value)
    _check_keys(where, data, kind)
    try:
        return kind(**data)
    except TypeError as error:
        raise DesignError(f"{where} is incomplete: {str(error).split(' ', 1)[1]}") from None
    except DesignError as error:
        raise DesignError(f"{where}: {error}") from None


def _check_keys(where: str, data: Mapping[str, Any], kind: type[Any]) -> None:
    names = [item.name for item in fields(kind)]
    for name in data:
        if name not in names:
            raise DesignError(unknown_name(f"key of {where}", name, names))


def _mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DesignError(f"{where} must be an object, got {value!r}")
    return value


def _list(where: str, value: object) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise DesignError(f"{where} must be a list, got {value!r}")
    return value


def _integers(where: str, value: object) -> Sequence[int]:
    for item in _list(where, value):
        if not is_integer(item):
            raise DesignError(f"{where} must hold integers, got {item!r}")
    return _list(where, value)


def _enum(where: str, value: object, kind: type[StrEnum]) -> StrEnum:
    members = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        raise DesignError(unknown_name(where, value, members))
    return members[value]
