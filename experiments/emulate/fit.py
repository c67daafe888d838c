"""Instructions per unit of work: a fit of counts on what the networks compute and move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from experiments.emulate.counts import CountRow
from search_space.candidate import Candidate
from search_space.cost.closed_form import operations
from search_space.latency.kernels import Kernel, kernels
from search_space.latency.predictive_spread import Floats
from topformer.design_file import parse_design
from topformer.errors import DesignError, InputError

LOADS = ("GMAC of GEMM-like work", "GMAC depthwise", "GB moved")
"""What the instructions are counted per; a Winograd convolution counts with the products that it leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Rates that reproduce the counts.

    Attributes:
        rates: Millions of instructions per load of `LOADS`.
        names: The networks.
        errors: Relative error of each network with all in the fit.
        left_out: The same, each predicted by a fit of the others.
    """

    rates: tuple[float, ...]
    names: tuple[str, ...]
    errors: tuple[float, ...]
    left_out: tuple[float, ...]

    def render(self) -> str:
        """As text: rates, then errors."""
        lines = [f"{rate:7.1f} M instructions per {load}" for rate, load in zip(self.rates, LOADS, strict=True)]
        rows = [
            f"{name:24} {100 * error:+6.2f} % {100 * alone:+6.2f} %"
            for name, error, alone in zip(self.names, self.errors, self.left_out, strict=True)
        ]
        sizes = np.abs(self.left_out)
        summary = f"left out: {100 * sizes.mean():.2f} % on average, {100 * sizes.max():.2f} % at most"
        head = f"{'network':24} {'fitted':>8} {'left out':>8}"
        return "\n".join(["instructions, not time", *lines, head, *rows, summary])


def fit(rows: Sequence[CountRow]) -> Fit:
    """Fit rates, none negative, that minimise the squared relative error.

    Raises:
        InputError: There are fewer than four networks, or a design of them cannot be built.
    """
    if len(rows) <= len(LOADS):
        raise InputError(f"a fit needs the counts of at least {len(LOADS) + 1} networks, got {len(rows)}")
    loads = np.array([load(row) for row in rows])
    counted = np.array([row.counts.instructions / 1e6 for row in rows])
    rates = _rates(loads, counted)
    alone = [
        float(loads[index] @ _rates(np.delete(loads, index, 0), np.delete(counted, index)) / counted[index] - 1)
        for index in range(len(rows))
    ]
    return Fit(
        rates=tuple(rates.tolist()),
        names=tuple(f"{row.network} {row.height}x{row.width}" for row in rows),
        errors=tuple((loads @ rates / counted - 1).tolist()),
        left_out=tuple(alone),
    )


def _rates(loads: Floats, counted: Floats) -> Floats:
    rates: Floats = nnls(loads / counted[:, None], np.ones(len(counted)))[0]
    return rates


def load(row: CountRow) -> tuple[float, float, float]:
    """GMACs of GEMM-like work, GMACs of depthwise convolutions and GB moved by the network of a row.

    Raises:
        InputError: Its design cannot be built.
    """
    try:
        candidate = Candidate(design=parse_design(row.design), height=row.height, width=row.width)
    except DesignError as error:
        raise InputError(f"the design of {row.network} cannot be read: {error}") from None
    listed = kernels(operations(candidate.design, candidate.height, candidate.width))
    depthwise = sum(kernel.macs for kernel in listed if _is_depthwise(kernel))
    dense = sum(kernel.work for kernel in listed if not _is_depthwise(kernel))
    return dense / 1e9, depthwise / 1e9, sum(kernel.moved for kernel in listed) / 1e9


def _is_depthwise(kernel: Kernel) -> bool:
    return kernel.name.startswith("depthwise")
