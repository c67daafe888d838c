"""How well each device's latencies are predicted, as pages: `python -m docs.make.devices [--kernels]`.

With `--kernels` the kernels of all calibration networks are counted anew first, which needs torch and a minute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from analysis.plots.latency import save_device
from search_space.latency.calibration.left_out import DeviceReport, HeldOutPrediction, device_report
from search_space.latency.calibration.networks import rebuild
from search_space.latency.devices import devices
from search_space.latency.model import LeftOutRow

DOCS = Path(__file__).parent.parent / "devices"


def page(report: DeviceReport) -> str:
    """The report of one device in Markdown."""
    model, setup, each = report.model, report.model.setup, report.model.coefficients
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
            "## Coefficients",
            "",
            "| ms per GMAC | of Winograd's products | ms per GB of convolutions | of other kernels | us per kernel |",
            "|---|---|---|---|---|",
            f"| {each.ms_per_gmac:.1f} | {each.ms_per_winograd_gmac:.1f} | {each.ms_per_gb:.1f} "
            f"| {each.ms_per_gb_carried:.1f} | {each.us_per_kernel:.2f} |",
            "",
            "## Errors, of networks that the fit did not see (mean / largest)",
            "",
            *_error_table(report),
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
                    *_held_table(report.held_out),
                ]
                * bool(report.held_out)
            ),
            "",
        ]
    )


def _error_table(report: DeviceReport) -> list[str]:
    return [
        "| | model | MACs alone |",
        "|---|---|---|",
        f"| each network left out | {report.row_out} | |",
        f"| its whole family left out | {report.family_out or 'too few families'} | |",
        f"| the stricter of both | {report.family_out or report.row_out} | {report.macs_out} |",
        f"| rank correlation, Kendall | {report.kendall:.3f} | {report.kendall_macs:.3f} |",
        f"| rank correlation, Spearman | {report.spearman:.3f} | {report.spearman_macs:.3f} |",
        f"| measured times in the 95 % interval | {report.inside:.0%} | |",
    ]


def _rows_table(rows: Sequence[LeftOutRow]) -> list[str]:
    lines = ["| network | family | GMACs | measured ms | left out ms | error | family left out | coverage |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        family = "" if row.family_error is None else f"{row.family_error:+.1%}"
        lines.append(
            f"| {row.name} | {row.family} | {row.macs / 1e9:.3f} | {row.measured_ms:g} | {row.left_out_ms:.2f} "
            f"| {row.error:+.1%} | {family} | {row.coverage:.0%} |"
        )
    return lines


def _held_table(predictions: Sequence[HeldOutPrediction]) -> list[str]:
    lines = ["| network | family | GMACs | measured ms | predicted ms | error | 95 % interval | inside |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for prediction in predictions:
        row = prediction.row
        macs = sum(kernel.macs for kernel in row.kernels)
        lines.append(
            f"| {row.name} | {row.family} | {macs / 1e9:.3f} | {row.latency_ms:g} | {prediction.milliseconds:.1f} "
            f"| {prediction.error:+.1%} | {prediction.low:.1f} to {prediction.high:.1f} "
            f"| {'yes' if prediction.inside else 'no'} |"
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
    for report in reports:
        model = report.model
        lines.append(
            f"| [{model.name}]({model.name}.md) | {model.setup.runtime} | {len(model.rows)} + {len(model.others)} "
            f"| {report.row_out} | {report.family_out or ''} | {report.macs_out} | {report.kendall:.3f} "
            f"| {report.kendall_macs:.3f} | {report.inside:.0%} |"
        )
    return "\n".join([*lines, ""])


def write(folder: Path = DOCS) -> None:
    """Writes a page per device, their table, and their figures beside the folder."""
    figures = folder.parent / "figures"
    for path in (folder, figures):
        path.mkdir(parents=True, exist_ok=True)
    reports = [device_report(name) for name in devices()]
    for one in reports:
        (folder / f"{one.model.name}.md").write_text(page(one), encoding="utf-8")
        save_device(one.model, figures / f"device-{one.model.name}.png")
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
