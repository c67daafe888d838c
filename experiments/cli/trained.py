"""A training as the commands that train show it: what it starts from, its bar, its scores and where its weights are."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from experiments.cli.terminal import bar


def train_and_show(
    train: Callable[..., dict[str, Any]],
    lines: Callable[[dict[str, Any]], Iterable[str]],
    out: Path,
    *,
    start: Callable[[], Iterable[str]] | None = None,
) -> int:
    """Train; of several processes the first one speaks.

    Args:
        train: The training, which takes `progress` and gives its result.
        lines: The result as lines.
        out: Its folder.
        start: What it starts from, as lines; None where it starts from nothing.

    Returns:
        The status of the command.
    """
    from experiments.training.processes import rank

    speaks = rank() == 0
    if start is not None and speaks:
        print("\n".join(start()), flush=True)
    with bar("iterations", hidden=not speaks) as progress:
        result = train(progress=progress)
    if speaks:
        print("\n".join([*lines(result), f"weights: {out / 'weights.pt'}"]))
    return 0
