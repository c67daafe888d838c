"""What a device's model is, in lines of text."""

from search_space.latency.coefficients import Coefficients
from search_space.latency.model import DeviceModel, LeftOutRow

SHOWN = 3
"""Known devices that are named, of those that a device leans on."""


def describe(model: DeviceModel) -> list[str]:
    """Protocol, coefficients, fitted rows and their errors."""
    setup = model.setup
    return [
        f"{setup.name}: error of predicting its {len(model.rows)} measured networks, each left out of the fit: "
        f"mean {model.left_out_mean:.1%}, largest {model.left_out_max:.1%}",
        f"device: {setup.chip}, {setup.core}, clock: {setup.clock}, threads: {setup.threads}",
        f"engine: {setup.runtime}, {setup.precision}; graphs end at: {setup.boundary}",
        f"protocol: {setup.protocol}",
        f"source: {setup.source}",
        f"model: {_coefficients_text(model.coefficients)}",
        *([f"leans on: {leaned_on_text(model)}"] if model.leaned_on else []),
        *(f"  fitted: {_row_text(row)} when left out ({row.error:+.1%})" for row in model.rows),
        *(
            f"  beside: {_row_text(row)} when left out ({row.error:+.1%}), coverage {row.coverage:.0%}"
            for row in model.others
        ),
        f"interval: 95 %, Student t of the logarithm, {model.spread.degrees} degrees of freedom, from the errors",
        "  when left out; wider where kernels were never measured and outside the measured range",
    ]


def leaned_on_text(model: DeviceModel) -> str:
    """The known devices that a model leans on most, each with its share."""
    listed = [f"{name} {share:.0%}" for name, share in model.leaned_on[:SHOWN]]
    rest = len(model.leaned_on) - SHOWN
    return ", ".join(listed) + (f" and {rest} others" if rest > 0 else "")


def _coefficients_text(each: Coefficients) -> str:
    return (
        f"{each.ms_per_gmac:.1f} ms per GMAC ({each.ms_per_winograd_gmac:.1f} of Winograd's products) + "
        f"{each.ms_per_gb:.1f} ms per GB of convolutions + {each.ms_per_gb_carried:.1f} ms per GB of other kernels + "
        f"{each.us_per_kernel:.2f} us per kernel"
    )


def _row_text(row: LeftOutRow) -> str:
    return f"{row.name} measured {row.measured_ms:.4g} ms, predicted {row.left_out_ms:.1f} ms"
