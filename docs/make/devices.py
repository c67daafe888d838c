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
from analysis.reports.text_table import TextTable, markdown
from search_space.latency.calibration.devices import (
    CHECKED,
    ENOUGH,
    FITTED,
    FOLDER,
    HELD_OUT,
    device,
    devices,
    read_rows,
)
from search_space.latency.calibration.fitting import LEAST_FAMILIES, RATES, Measured, fit
from search_space.latency.calibration.networks import rebuild
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


def device_page(report: DeviceReport) -> str:
    """The report of one device in Markdown."""
    model = report.model
    parts = [
        f"# {model.name}\n\nWritten by `python -m docs.make.devices`; do not edit.\n",
        "".join(f"- {name}: {text}\n" for name, text in _card(model).items()),
        "## Rates\n",
        markdown(_rates_table(model)),
        "## Errors, of networks that the fit did not see (mean / largest)\n",
        markdown(_error_table(report)),
        f"![measured against predicted](../figures/device-{model.name}.png)\n",
        "## Networks\n",
        markdown(_networks_table(model.rows)),
    ]
    if model.others:
        parts += ["Beside the rows (they count little in the fit):\n", markdown(_networks_table(model.others))]
    if report.held_out:
        title = "Held out (in no fit of any kind; each row's source is in `measured.csv`):\n"
        parts += [title, markdown(_held_out_table(report.held_out))]
    return "\n".join(parts)


def _card(model: DeviceModel) -> dict[str, str]:
    setup = model.setup
    return {
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


def _rates_table(model: DeviceModel) -> TextTable:
    rates = model.rates
    cells = {
        "ms per GMAC": f"{rates.ms_per_gmac:.1f}",
        "of Winograd's products": f"{rates.ms_per_winograd_gmac:.1f}",
        "ms per GB of convolutions": f"{rates.ms_per_gb:.1f}",
        "of other kernels": f"{rates.ms_per_gb_carried:.1f}",
        "us per kernel": f"{rates.us_per_kernel:.2f}",
    }
    return TextTable.of("Rates", list(cells), [list(cells.values())])


def _error_table(report: DeviceReport) -> TextTable:
    rows = [
        ("each network left out", str(report.row_out), ""),
        ("its whole family left out", str(report.family_out or "too few families"), ""),
        ("the stricter of both", str(report.family_out or report.row_out), str(report.macs_out)),
        ("rank correlation, Kendall", f"{report.kendall:.3f}", f"{report.kendall_macs:.3f}"),
        ("rank correlation, Spearman", f"{report.spearman:.3f}", f"{report.spearman_macs:.3f}"),
        ("measured times in the 95 % interval", f"{report.inside:.0%}", ""),
    ]
    return TextTable.of("Errors", ("", "model", "MACs alone"), rows)


def _networks_table(rows: Sequence[Checked]) -> TextTable:
    header = ("network", "family", "GMACs", "measured ms", "left out ms", "error", "family left out", "coverage")
    cells = [
        (
            row.name,
            row.family,
            f"{row.macs / 1e9:.3f}",
            f"{row.measured_ms:g}",
            f"{row.left_out_ms:.2f}",
            f"{row.error:+.1%}",
            "" if row.family_error is None else f"{row.family_error:+.1%}",
            f"{row.coverage:.0%}",
        )
        for row in rows
    ]
    return TextTable.of("Networks", header, cells, left=["family"])


def _held_out_table(predictions: Sequence[Foretold]) -> TextTable:
    header = ("network", "family", "GMACs", "measured ms", "predicted ms", "error", "95 % interval", "inside")
    cells = [
        (
            one.row.name,
            one.row.family,
            f"{sum(kernel.macs for kernel in one.row.kernels) / 1e9:.3f}",
            f"{one.row.latency_ms:g}",
            f"{one.milliseconds:.1f}",
            f"{one.error:+.1%}",
            f"{one.low:.1f} to {one.high:.1f}",
            "yes" if one.inside else "no",
        )
        for one in predictions
    ]
    return TextTable.of("Held out", header, cells, left=["family"])


def devices_page(reports: Sequence[DeviceReport]) -> str:
    """All devices in one table."""
    header = (
        "device", "engine", "networks", "left out", "family left out", "MACs alone", "Kendall", "MACs'",
        "in the interval",
    )  # fmt: skip
    cells = [
        (
            f"[{report.model.name}]({report.model.name}.md)",
            report.model.setup.runtime,
            f"{len(report.model.rows)} + {len(report.model.others)}",
            str(report.row_out),
            str(report.family_out or ""),
            str(report.macs_out),
            f"{report.kendall:.3f}",
            f"{report.kendall_macs:.3f}",
            f"{report.inside:.0%}",
        )
        for report in reports
    ]
    return (
        "# Devices\n\nWritten by `python -m docs.make.devices`; do not edit. Errors are mean / largest, of networks "
        f"that the fit did not see.\n\n{markdown(TextTable.of('Devices', header, cells, left=['engine']))}"
    )


def write(folder: Path = DOCS) -> None:
    """Writes a page per device, their table, and their figures beside the folder."""
    figures = folder.parent / "figures"
    for path in (folder, figures):
        path.mkdir(parents=True, exist_ok=True)
    reports = [report(name) for name in devices()]
    for each in reports:
        (folder / f"{each.model.name}.md").write_text(device_page(each), encoding="utf-8")
        save_device(each.model, figures / f"device-{each.model.name}.png")
    (folder / "README.md").write_text(devices_page(reports), encoding="utf-8")


def main() -> None:
    """Remakes the pages, and before them the kernels if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", action="store_true", help="count the kernels of all networks anew first")
    if parser.parse_args().kernels:
        rebuild()
    write()


if __name__ == "__main__":
    main()
