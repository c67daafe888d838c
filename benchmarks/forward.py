"""How much faster the deployed network is than the trained one, side by side on one CPU thread.

Run it with `python -m benchmarks.forward`.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import torch

from topformer.deployment.fold import fold_batch_norm
from topformer.network import TopFormer
from topformer.presets import PRESETS

ROUNDS = 12


def main() -> None:
    """Print one line per preset: milliseconds of both forms and their ratio."""
    torch.set_num_threads(1)
    print(f"{'preset':<8}{'size':>6}{'trained ms':>12}{'deployed ms':>13}{'ratio':>8}")
    for name, design in PRESETS.items():
        size = 128 if name == "nano" else 512
        model = TopFormer(design).eval()
        image = torch.randn(1, 3, size, size)
        with torch.inference_mode():
            trained, deployed = interleaved(partial(model, image), partial(fold_batch_norm(model), image))
        print(f"{name:<8}{size:>6}{trained:>12.1f}{deployed:>13.1f}{trained / deployed:>8.2f}")


def interleaved(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Median milliseconds of two functions that take turns, so that both meet the same noise."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 2):
        for run, kept in zip((first, second), times, strict=True):
            start = perf_counter()
            run()
            if round_ >= 2:
                kept.append(1e3 * (perf_counter() - start))
    return median(times[0]), median(times[1])


if __name__ == "__main__":
    main()
