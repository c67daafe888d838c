"""A network of the user's own on the command line: `path.py:function`, which gives an nn.Module."""

import re
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING, Any

from topformer.errors import InputError, shown, unknown_name

if TYPE_CHECKING:
    from torch import nn

_FORM = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


def names_module(text: str) -> bool:
    """Whether a text names a function of a Python file, and not a design."""
    return text.endswith(".py") or ".py:" in text


def own_module(text: str) -> "nn.Module":
    """What a function of a Python file gives when it is called without arguments; the file is run.

    Args:
        text: `path.py:function`; a class is such a function too.

    Raises:
        InputError: There is no such file or function, running either fails, or it gives no nn.Module.
    """
    from torch import nn

    match = _FORM.fullmatch(text)
    if not match:
        raise InputError(f"a network of your own must be named path.py:function, got {shown(text)}")
    path, name = Path(match["path"]), match["name"]
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    found = _called(text, lambda: run_path(str(path), run_name=path.stem))
    if name not in found:
        functions = [key for key, value in found.items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{path}: {unknown_name('function', name, functions)}")
    made = found[name] if isinstance(found[name], nn.Module) else _called(text, found[name])
    if not isinstance(made, nn.Module):
        raise InputError(f"{text} must give an nn.Module, got {type(made).__name__}")
    return made


def _called(text: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise InputError(f"running {text} raised {type(error).__name__}: {shown(str(error))}") from error
