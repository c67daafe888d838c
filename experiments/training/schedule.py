"""The learning rate over a training, in closed form."""

WARMUP_START = 1e-6
"""Factor on the first learning rate of the warm-up (release: linear from 1e-6)."""


def learning_rate_factor(update: int, *, budget: int, warmup: int, power: float) -> float:
    """What the peak learning rate is multiplied with at an update, counted from 0.

    Polynomial decay to 0 over the whole budget, times a linear rise over the first `warmup` updates: the schedule
    of the release (mmcv's `poly` policy with `linear` warm-up), which a chain of mmengine's LinearLR and PolyLR gives.
    """
    decay: float = (1 - update / budget) ** power
    if update >= warmup:
        return decay
    return decay * (WARMUP_START + (1 - WARMUP_START) * update / warmup)
