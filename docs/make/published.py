"""The page of the model of published accuracies: its errors on what it never saw, and its coefficients.

python -m docs.make.published [docs/published/model.md]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analysis.reports.text_table import TextTable, markdown
from analysis.results.published.anchors import contrasts
from analysis.results.published.factors import EFFECTS
from analysis.results.published.left_out import LeftOut, coverage, left_out, root_mean_square
from analysis.results.published.model import coefficients, published_model

PAGE = Path(__file__).parent.parent / "published" / "model.md"

_HEAD = """# The model of published accuracies, in numbers

Remade by `python -m docs.make.published`. What it is for: [published](../published.md)."""


def page() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD, *_errors(), *_coefficients(), *_words()]) + "\n"


def summary(rows: tuple[LeftOut, ...]) -> str:
    """The errors of some predictions, in one sentence."""
    inside = sum(row.is_covered for row in rows)
    return (
        f"{len(rows)} numbers: root mean square error {root_mean_square(rows):.2f}, "
        f"{inside} of {len(rows)} ({coverage(rows):.0%}) within their 95 % intervals"
    )


def _errors() -> Iterator[str]:
    rows = left_out()
    ours = tuple(row for row in rows if row.anchor.dataset == "ade20k")
    released = tuple(row for row in ours if not row.anchor.where.startswith("Table 6"))
    yield (
        "## One network left out at a time\n\nEvery published mIoU, predicted by a model that has seen no point of its "
        "network: at any side, of the paper, of the release or of the search, on any data set."
    )
    yield "\n".join(
        [
            f"- ADE20K, released networks: {summary(released)}.",
            f"- ADE20K, with the two changed heads of Table 6: {summary(ours)}.",
            f"- With COCO-Stuff: {summary(rows)}.",
        ]
    )
    cells = [[*_of(row), f"{row.mean:.2f}", f"{row.sd:.2f}", f"{row.error:+.2f}", _place(row)] for row in rows]
    header = ["left out", "data set", "side", "batch", "where", "published", "predicted", "sd", "error", "interval"]
    yield markdown(TextTable.of("", header, cells, left=["data set", "where", "interval"])).strip()


def _of(row: LeftOut) -> list[str]:
    one = row.anchor
    return [one.model, one.dataset, str(one.side), str(one.batch), one.where, f"{one.miou:.2f}"]


def _place(row: LeftOut) -> str:
    return "" if row.is_covered else "outside"


def _coefficients() -> Iterator[str]:
    model = published_model()
    yield (
        "## Coefficients\n\nPercentage points of mIoU, with standard deviations, before and after the published "
        "numbers were seen. Before is judgement. Where after equals before, nothing was published that could change it."
    )
    after = zip(model.mean, np.sqrt(np.diag(model.covariance)), strict=True)
    units = {name: effect.unit for name, effect in EFFECTS.items()}
    cells = [
        [name, units.get(name, ""), f"{before:.2f} ({sd:.2f})", f"{mean:.2f} ({deviation:.2f})"]
        for (name, before, sd), (mean, deviation) in zip(coefficients(), after, strict=True)
    ]
    yield markdown(TextTable.of("", ["coefficient", "per", "before", "after"], cells, left=["per"])).strip()


def _words() -> Iterator[str]:
    yield (
        "## What the text says\n\nSingle changes that the paper's text judges. Printed ones are numbers; words are "
        "read as the number beside them, which is our reading."
    )
    cells = [
        [one.where, f"{one.miou:+.1f}", f"{one.sd:.1f}", "printed" if one.is_printed else "a word, read"]
        for one in contrasts()
    ]
    yield markdown(TextTable.of("", ["text", "difference", "sd", "basis"], cells, left=["basis"])).strip()


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    parser.parse_args().page.write_text(page(), encoding="ascii")


if __name__ == "__main__":
    main()
