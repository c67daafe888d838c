"""How well each device's latencies are predicted, as pages: `python -m docs.make.devices [--kernels]`.

With `--kernels` the kernels of all calibration networks are counted anew first, which needs torch and a minute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from analysis.plots.latency import save_device
from analysis.reports.text_table import TextTable, markdown
from search_space.latency.calibration.left_out import DeviceReport, HeldOutPrediction, device_report
from search_space.latency.calibration.networks import rebuild
from search_space.latency.devices import devices
from search_space.latency.model import DeviceModel, LeftOutRow

CARRIED = """The same networks, where they were timed on other devices of the same engine: what they are off by there,
and how fast those devices are, weighted by how well they explain the fitted rows of this one:
"""
"""What stands above the table of networks whose error is carried over."""

DOCS = Path(__file__).parent.parent / "devices"


def device_page(report: DeviceReport) -> str:
    """The report of one device in Markdown."""
    model = report.model
    parts = [
        f"# {model.name}\n\nWritten by `python -m docs.make.devices`; do not edit.\n",
        "".join(f"- {name}: {text}\n" for name, text in _card(model).items()),
        "## Coefficients\n",
        markdown(_coefficients_table(model)),
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
        parts += [title, markdown(_summary_table(report)), markdown(_held_out_table(report.held_out))]
    if report.carried:
        parts += [CARRIED, markdown(_held_out_table(report.carried))]
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


def _coefficients_table(model: DeviceModel) -> TextTable:
    coefficients = model.coefficients
    cells = {
        "ms per GMAC": f"{coefficients.ms_per_gmac:.1f}",
        "of Winograd's products": f"{coefficients.ms_per_winograd_gmac:.1f}",
        "ms per GB of convolutions": f"{coefficients.ms_per_gb:.1f}",
        "of other kernels": f"{coefficients.ms_per_gb_carried:.1f}",
        "us per kernel": f"{coefficients.us_per_kernel:.2f}",
    }
    return TextTable.of("Coefficients", list(cells), [list(cells.values())])


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


def _networks_table(rows: Sequence[LeftOutRow]) -> TextTable:
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


def _summary_table(report: DeviceReport) -> TextTable:
    found, carried = report.held_out_summary, report.carried_summary
    assert found is not None
    summaries = [found, *([carried] if carried else [])]
    rows = [
        ("error (mean / largest)", *(str(one.errors) for one in summaries), str(found.macs_errors)),
        ("rank correlation, Kendall", *(f"{one.kendall:.3f}" for one in summaries), f"{found.kendall_macs:.3f}"),
        ("measured times in the 95 % interval", *(f"{one.inside:.0%}" for one in summaries), ""),
    ]
    header = ("", "model", *(["timed elsewhere"] if carried else []), "MACs alone")
    return TextTable.of("Held out, in short", header, rows)


def _held_out_table(predictions: Sequence[HeldOutPrediction]) -> TextTable:
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


def _held_out_cells(report: DeviceReport) -> tuple[str, ...]:
    found, carried = report.held_out_summary, report.carried_summary
    cells = ("", "", "") if found is None else (str(len(report.held_out)), str(found.errors), f"{found.inside:.0%}")
    return (*cells, *(("", "") if carried is None else (str(carried.errors), f"{carried.inside:.0%}")))


def devices_page(reports: Sequence[DeviceReport]) -> str:
    """All devices in one table."""
    header = (
        "device", "engine", "networks", "left out", "family left out", "MACs alone", "Kendall", "MACs'",
        "in the interval", "held out", "error", "in the interval", "timed elsewhere", "in the interval",
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
            *_held_out_cells(report),
        )
        for report in reports
    ]
    return (
        "# Devices\n\nWritten by `python -m docs.make.devices`; do not edit. Errors are mean / largest, of networks "
        "that the fit did not see. *Timed elsewhere*: held-out networks with the error that they carry over from other "
        "devices of the same engine; [a new device](new-device.md) says how far few rows lead.\n\n"
        f"{markdown(TextTable.of('Devices', header, cells, left=['engine']))}"
    )


def write(folder: Path = DOCS) -> None:
    """Writes a page per device, their table, and their figures beside the folder."""
    figures = folder.parent / "figures"
    for path in (folder, figures):
        path.mkdir(parents=True, exist_ok=True)
    reports = [device_report(name) for name in devices()]
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
