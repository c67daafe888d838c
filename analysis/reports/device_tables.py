"""What a device's own data say of its latency model, as tables: for pages of documentation and for those of reports."""

from collections.abc import Sequence

from analysis.reports.text_table import TextTable
from search_space.latency.calibration.left_out import DeviceReport, HeldOutPrediction
from search_space.latency.model import DeviceModel, LeftOutRow, Setup

FEW = "too few networks"
"""In the place of a number that few networks do not tell."""


def setup_rows(setup: Setup) -> list[tuple[str, str]]:
    """How the device was measured: names and what they are."""
    return [
        ("chip", setup.chip),
        ("core", setup.core),
        ("clock", setup.clock),
        ("threads", str(setup.threads)),
        ("engine", setup.runtime),
        ("precision", setup.precision),
        ("graphs end at", setup.boundary),
        ("protocol", setup.protocol),
        ("source", setup.source),
    ]


def coefficients_table(model: DeviceModel) -> TextTable:
    """What a unit of each feature costs."""
    coefficients = model.coefficients
    cells = {
        "ms per GMAC": f"{coefficients.ms_per_gmac:.1f}",
        "of Winograd's products": f"{coefficients.ms_per_winograd_gmac:.1f}",
        "ms per GB of convolutions": f"{coefficients.ms_per_gb:.1f}",
        "of other kernels": f"{coefficients.ms_per_gb_carried:.1f}",
        "us per kernel": f"{coefficients.us_per_kernel:.2f}",
    }
    return TextTable.of("Coefficients", list(cells), [list(cells.values())])


def error_table(report: DeviceReport) -> TextTable:
    """Errors of networks that the fit did not see, mean and largest, and rank correlations, beside MACs alone."""
    inside = FEW if report.inside is None else f"{report.inside:.0%}"
    rows = [
        ("each network left out", str(report.row_out), ""),
        ("its whole family left out", str(report.family_out or "too few families"), ""),
        ("the stricter of both", str(report.family_out or report.row_out), str(report.macs_out or FEW)),
        ("rank correlation, Kendall", ranked(report.kendall), ranked(report.kendall_macs)),
        ("rank correlation, Spearman", ranked(report.spearman), ranked(report.spearman_macs)),
        ("measured times in the 95 % interval", inside, ""),
    ]
    return TextTable.of("Errors", ("", "model", "MACs alone"), rows)


def ranked(correlation: float | None) -> str:
    """A rank correlation."""
    return FEW if correlation is None else f"{correlation:.3f}"


def networks_table(rows: Sequence[LeftOutRow], title: str = "Networks") -> TextTable:
    """Each measured network, and what fits without it and without its family say."""
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
    return TextTable.of(title, header, cells, left=["family"])


def summary_table(report: DeviceReport) -> TextTable:
    """The held-out networks in short, of which there is at least one."""
    found, carried = report.held_out_summary, report.carried_summary
    assert found is not None
    summaries = [found, *([carried] if carried else [])]
    rows = [
        ("error (mean / largest)", *(str(one.errors) for one in summaries), str(found.macs_errors)),
        ("rank correlation, Kendall", *(ranked(one.kendall) for one in summaries), ranked(found.kendall_macs)),
        ("measured times in the 95 % interval", *(f"{one.inside:.0%}" for one in summaries), ""),
    ]
    header = ("", "model", *(["timed elsewhere"] if carried else []), "MACs alone")
    return TextTable.of("Held out, in short", header, rows)


def held_out_table(predictions: Sequence[HeldOutPrediction], title: str = "Held out") -> TextTable:
    """Each network that is in no fit, and what is predicted for it."""
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
    return TextTable.of(title, header, cells, left=["family"])
