"""The learning rate over a training, in closed form."""

WARMUP_START = 1e-6
"""Factor on the first learning rate of the warm-up (release: linear from 1e-6)."""


def learning_rate_factor(iteration: int, *, iterations: int, warmup: int, power: float) -> float:
    """What the peak learning rate is multiplied with at an iteration, counted from 0.

    Polynomial decay to 0 over all iterations, times a linear rise over the first `warmup` of them: the schedule
    of the release (mmcv's `poly` policy with `linear` warm-up), which a chain of mmengine's LinearLR and PolyLR gives.
    """
    decay: float = (1 - iteration / iterations) ** power
    if iteration >= warmup:
        return decay
    return decay * (WARMUP_START + (1 - WARMUP_START) * iteration / warmup)
