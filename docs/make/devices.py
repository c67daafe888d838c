"""How well each device's latencies are predicted, as pages: `python -m docs.make.devices [--kernels]`.

With `--kernels` the kernels of all calibration networks are counted anew first, which needs torch and a minute.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from analysis.plots.latency import save_device
from search_space.latency.calibration.devices import CHECKED, ENOUGH, FITTED, HELD_OUT, device, read_rows
from search_space.latency.calibration.fitting import LEAST_FAMILIES, RATES, Measured, fit
from search_space.latency.calibration.networks import rebuild
from search_space.latency.devices import FOLDER, devices
from search_space.latency.model import Checked, DeviceModel
from search_space.latency.rates import SHAPE

DOCS = Path(__file__).parent.parent / "devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Relative errors of many predictions: their mean size and the largest."""

    mean: float
    largest: float

    @classmethod
    def of(cls, errors: Sequence[float]) -> "Errors":
        """Of signed relative errors."""
        sizes = np.abs(errors)
        return cls(mean=float(sizes.mean()), largest=float(sizes.max()))

    def __str__(self) -> str:
        return f"{self.mean:.1%} / {self.largest:.1%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A network that no fit saw: its measured milliseconds, the predicted ones, and their 95 % interval."""

    row: Measured
    milliseconds: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.milliseconds / self.row.latency_ms - 1

    @property
    def inside(self) -> bool:
        """Whether the measured time lies in the interval."""
        return self.low < self.row.latency_ms < self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What a device's own data say of its model; nothing is predicted by a fit that saw it.

    Attributes:
        model: The device.
        row_out: Errors of the fitted networks, each left out alone.
        family_out: Errors where the whole family was left out; None where there are too few families.
        macs_out: Errors of a rate per MAC alone, left out in the same way as the last of the above.
        inside: Of all networks, the share whose measured time lies in the 95 % interval of a fit without them.
        kendall: Rank correlation of measured and left-out predicted times.
        spearman: The same by ranks.
        kendall_macs: Of measured times and MACs.
        spearman_macs: The same by ranks.
        held_out: Networks that are in no fit of the device, and what is predicted for them.
    """

    model: DeviceModel
    row_out: Errors
    family_out: Errors | None
    macs_out: Errors
    inside: float
    kendall: float
    spearman: float
    kendall_macs: float
    spearman_macs: float
    held_out: tuple["Foretold", ...] = ()


def report(name: str) -> DeviceReport:
    """The report of a device that ships with the project."""
    model = device(name)
    rows = model.rows
    measured, macs = [row.measured_ms for row in rows], [row.macs for row in rows]
    predicted = [row.family_out_ms or row.left_out_ms for row in rows]
    by_family = [row.family_error for row in rows if row.family_error is not None]
    return DeviceReport(
        model=model,
        row_out=Errors.of([row.error for row in rows]),
        family_out=Errors.of(by_family) if by_family else None,
        macs_out=Errors.of(_macs_out(rows)),
        inside=float(np.mean([told.inside for told in left_out(name)])),
        kendall=float(stats.kendalltau(predicted, measured).statistic),
        spearman=float(stats.spearmanr(predicted, measured).statistic),
        kendall_macs=float(stats.kendalltau(macs, measured).statistic),
        spearman_macs=float(stats.spearmanr(macs, measured).statistic),
        held_out=tuple(_foretold(model, row) for row in read_rows(FOLDER / name, HELD_OUT)),
    )


def _folds(families: Sequence[str]) -> list[list[int]]:
    """Indices to leave out together: families, or single rows where there are too few families."""
    if len(set(families)) < LEAST_FAMILIES:
        return [[index] for index in range(len(families))]
    return [[i for i, own in enumerate(families) if own == family] for family in dict.fromkeys(families)]


def _macs_out(rows: Sequence[Checked]) -> list[float]:
    """Errors of milliseconds = rate * MACs, the rate of least squared relative error over the other rows."""
    per_ms = np.array([row.macs / row.measured_ms for row in rows])
    errors = []
    for fold in _folds([row.family for row in rows]):
        rest = np.delete(per_ms, fold)
        rate = rest.sum() / (rest**2).sum()
        errors += (per_ms[fold] * rate - 1).tolist()
    return errors


def left_out(name: str) -> tuple["Foretold", ...]:
    """What a fit without it, or without its family where there are enough, says of each network of a shipped device.

    The networks beside the rows are each left out alone; of a device with three rows, the rows are missing.
    """
    model, rows, others = device(name), read_rows(FOLDER / name, FITTED), read_rows(FOLDER / name, CHECKED)
    shape = None if len(rows) >= ENOUGH else SHAPE
    found = dict[int, Foretold]()
    for fold in _folds([row.family for row in rows]):
        rest = [row for index, row in enumerate(rows) if index not in fold]
        if len(rest) > RATES:
            blind = fit(rest, model.setup, others, shape=shape)
            found.update((index, _foretold(blind, rows[index])) for index in fold)
    beside = (
        _foretold(fit(rows, model.setup, [other for other in others if other is not row], shape=shape), row)
        for row in others
    )
    return (*(found[index] for index in sorted(found)), *beside)


def _foretold(model: DeviceModel, row: Measured) -> Foretold:
    table = model.table(np.array([model.loader.load(row.kernels)]))
    low, high = float(table.low[0]), float(table.high[0])
    return Foretold(row=row, milliseconds=float(table.milliseconds[0]), low=low, high=high)


def page(found: DeviceReport) -> str:
    """The report of one device in Markdown."""
    model, setup = found.model, found.model.setup
    rates = model.rates
    card = {
        "chip": setup.chip,
        "core": setup.core,
        "clock": setup.clock,
        "threads": str(setup.threads),
        "engine": setup.runtime,
        "precision": setup.precision,
        "graphs end at": setup.boundary,
        "protocol": setup.protocol,
        "source": setup.source,
    }
    return "\n".join(
        [
            f"# {model.name}",
            "",
            "Written by `python -m docs.make.devices`; do not edit.",
            "",
            *(f"- {name}: {text}" for name, text in card.items()),
            "",
            "## Rates",
            "",
            "| ms per GMAC | of Winograd's products | ms per GB of convolutions | of other kernels | us per kernel |",
            "|---|---|---|---|---|",
            f"| {rates.ms_per_gmac:.1f} | {rates.ms_per_winograd_gmac:.1f} | {rates.ms_per_gb:.1f} "
            f"| {rates.ms_per_gb_carried:.1f} | {rates.us_per_kernel:.2f} |",
            "",
            "## Errors, of networks that the fit did not see (mean / largest)",
            "",
            *_error_table(found),
            "",
            f"![measured against predicted](../figures/device-{model.name}.png)",
            "",
            "## Networks",
            "",
            *_rows_table(model.rows),
            *(
                ["", "Beside the rows (they count little in the fit):", "", *_rows_table(model.others)]
                * bool(model.others)
            ),
            *(
                [
                    "",
                    "Held out (in no fit of any kind; each row's source is in `measured.csv`):",
                    "",
                    *_held_table(found.held_out),
                ]
                * bool(found.held_out)
            ),
            "",
        ]
    )


def _error_table(found: DeviceReport) -> list[str]:
    return [
        "| | model | MACs alone |",
        "|---|---|---|",
        f"| each network left out | {found.row_out} | |",
        f"| its whole family left out | {found.family_out or 'too few families'} | |",
        f"| the stricter of both | {found.family_out or found.row_out} | {found.macs_out} |",
        f"| rank correlation, Kendall | {found.kendall:.3f} | {found.kendall_macs:.3f} |",
        f"| rank correlation, Spearman | {found.spearman:.3f} | {found.spearman_macs:.3f} |",
        f"| measured times in the 95 % interval | {found.inside:.0%} | |",
    ]


def _rows_table(rows: Sequence[Checked]) -> list[str]:
    lines = ["| network | family | GMACs | measured ms | left out ms | error | family left out | coverage |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        family = "" if row.family_error is None else f"{row.family_error:+.1%}"
        lines.append(
            f"| {row.name} | {row.family} | {row.macs / 1e9:.3f} | {row.measured_ms:g} | {row.left_out_ms:.2f} "
            f"| {row.error:+.1%} | {family} | {row.coverage:.0%} |"
        )
    return lines


def _held_table(found: Sequence[Foretold]) -> list[str]:
    lines = ["| network | family | GMACs | measured ms | predicted ms | error | 95 % interval | inside |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for told in found:
        row = told.row
        macs = sum(kernel.macs for kernel in row.kernels)
        lines.append(
            f"| {row.name} | {row.family} | {macs / 1e9:.3f} | {row.latency_ms:g} | {told.milliseconds:.1f} "
            f"| {told.error:+.1%} | {told.low:.1f} to {told.high:.1f} | {'yes' if told.inside else 'no'} |"
        )
    return lines


def summary(reports: Sequence[DeviceReport]) -> str:
    """All devices in one table."""
    lines = [
        "# Devices",
        "",
        "Written by `python -m docs.make.devices`; do not edit. Errors are mean / largest, of networks that the "
        "fit did not see.",
        "",
        "| device | engine | networks | left out | family left out | MACs alone | Kendall | MACs' | in the interval |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in reports:
        model = found.model
        lines.append(
            f"| [{model.name}]({model.name}.md) | {model.setup.runtime} | {len(model.rows)} + {len(model.others)} "
            f"| {found.row_out} | {found.family_out or ''} | {found.macs_out} | {found.kendall:.3f} "
            f"| {found.kendall_macs:.3f} | {found.inside:.0%} |"
        )
    return "\n".join([*lines, ""])


def write(folder: Path = DOCS) -> None:
    """Writes a page per device, their table, and their figures beside the folder."""
    figures = folder.parent / "figures"
    for path in (folder, figures):
        path.mkdir(parents=True, exist_ok=True)
    reports = [report(name) for name in devices()]
    for found in reports:
        (folder / f"{found.model.name}.md").write_text(page(found), encoding="utf-8")
        save_device(found.model, figures / f"device-{found.model.name}.png")
    (folder / "README.md").write_text(summary(reports), encoding="utf-8")


def main() -> None:
    """Remakes the pages, and before them the kernels if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", action="store_true", help="count the kernels of all networks anew first")
    if parser.parse_args().kernels:
        rebuild()
    write()


if __name__ == "__main__":
    main()
