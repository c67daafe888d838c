"""Reads mmsegmentation 0.x configuration files as data: assignments of literals and `dict(...)`, nothing is run."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.training.release.bases import DATASETS
from topformer.errors import StudyError, shown
from topformer.files import MIB, read_text

_RUNTIME = re.compile(r"default_runtime\.py|schedule_(\d+)k\.py")
"""Bases of mmsegmentation itself (0.x, configs/_base_); the schedules differ in the iterations, which the name says."""


def read_release_file(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The values of a configuration file, merged over those of its `_base_` files, without its variables.

    mmsegmentation's runtime, schedules and data settings need not be there: those that the release uses are known.

    Args:
        path: The file.
        below: The files that are built on it.

    Raises:
        StudyError: A file is missing, is built on itself, or holds anything but assignments of literals, names and
            `dict(...)`.
    """
    if path.resolve() in below:
        raise StudyError(f"configuration {path} is built on itself: {' on '.join(file.name for file in below)}")
    text = read_text(path, what="configuration", error=StudyError, most=MIB)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise StudyError(f"configuration {path} is not Python: {error}") from None
    values: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            raise StudyError(f"configuration {path}, line {node.lineno}: only assignments to names are accepted")
        values[node.targets[0].id] = _value(node.value, values, path)
    for name in _variables(tree):
        values.pop(name, None)
    bases = values.pop("_base_", [])
    merged: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        if not isinstance(base, str):
            raise StudyError(f"configuration {path}: _base_ must name files, got {shown(base)}")
        merged = merge(merged, _base(path.parent / base, (*below, path.resolve())))
    return merge(merged, values)


def _variables(tree: ast.Module) -> set[str]:
    """Names that the file itself uses in other settings: means to write them, and none of the settings."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)} - {
        "dict",
        "_base_",
    }


def _base(path: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    known = _RUNTIME.fullmatch(path.name)
    if path.name in DATASETS and not path.exists():
        return dict(DATASETS[path.name])
    if path.exists() or not known:
        return read_release_file(path, below)
    return _schedule(int(known[1])) if known[1] else {}


def _schedule(thousands: int) -> dict[str, Any]:
    """What mmsegmentation's schedule of that name says."""
    return {
        "optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005},
        "optimizer_config": {},
        "lr_config": {"policy": "poly", "power": 0.9, "min_lr": 1e-4, "by_epoch": False},
        "runner": {"type": "IterBasedRunner", "max_iters": 1000 * thousands},
    }


def merge(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` over `base`, dictionaries within each other too, unless they say `_delete_=True`."""
    merged = dict(base)
    for name, value in values.items():
        if isinstance(value, Mapping):
            below = {} if value.get("_delete_") else merged.get(name)
            rest = {key: item for key, item in value.items() if key != "_delete_"}
            merged[name] = merge(below if isinstance(below, Mapping) else {}, rest)
        else:
            merged[name] = value
    return merged


def _value(node: ast.expr, known: Mapping[str, Any], path: Path) -> Any:
    match node:
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.List(elts=items):
            return [_value(item, known, path) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item, known, path) for item in items)
        case ast.Dict(keys=keys, values=items) if all(key is not None for key in keys):
            pairs = zip(keys, items, strict=True)
            return {_value(key, known, path): _value(item, known, path) for key, item in pairs if key is not None}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return _call(keywords, known, path)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key)) if name in known:
            return _item(known[name], key, node, path)
    try:
        return ast.literal_eval(node)
    except ValueError:
        text = ast.unparse(node)
        raise StudyError(
            f"configuration {path}, line {node.lineno}: {text[:60]!r} is no literal, no dict(...) and no known name"
        ) from None


def _call(keywords: list[ast.keyword], known: Mapping[str, Any], path: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for keyword in keywords:
        value = _value(keyword.value, known, path)
        result.update(value if keyword.arg is None else {keyword.arg: value})
    return result


def _item(held: Any, key: Any, node: ast.expr, path: Path) -> Any:
    try:
        return held[key]
    except (KeyError, IndexError, TypeError):
        raise StudyError(f"configuration {path}, line {node.lineno}: no entry {key!r}") from None
