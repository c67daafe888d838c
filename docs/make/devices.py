"""How well each device's latencies are predicted, as pages: `python -m docs.make.devices [--kernels]`.

With `--kernels` the kernels of all calibration networks are counted anew first, which needs torch and a minute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from analysis.plots.latency import save_device
from analysis.reports.device_tables import (
    FEW,
    coefficients_table,
    error_table,
    held_out_table,
    networks_table,
    ranked,
    setup_rows,
    summary_table,
)
from analysis.reports.text_table import TextTable, markdown
from search_space.latency.calibration.left_out import DeviceReport, device_report
from search_space.latency.calibration.networks import rebuild
from search_space.latency.devices import devices

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
        "".join(f"- {name}: {text}\n" for name, text in setup_rows(model.setup)),
        "## Coefficients\n",
        markdown(coefficients_table(model)),
        "## Errors, of networks that the fit did not see (mean / largest)\n",
        markdown(error_table(report)),
        f"![measured against predicted](../figures/device-{model.name}.png)\n",
        "## Networks\n",
        markdown(networks_table(model.rows)),
    ]
    if model.others:
        parts += ["Beside the rows (they count little in the fit):\n", markdown(networks_table(model.others))]
    if report.held_out:
        title = "Held out (in no fit of any kind; each row's source is in `measured.csv`):\n"
        parts += [title, markdown(summary_table(report)), markdown(held_out_table(report.held_out))]
    if report.carried:
        parts += [CARRIED, markdown(held_out_table(report.carried))]
    return "\n".join(parts)


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
            str(report.macs_out or FEW),
            ranked(report.kendall),
            ranked(report.kendall_macs),
            FEW if report.inside is None else f"{report.inside:.0%}",
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
        save_device(each, figures / f"device-{each.model.name}.png")
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
