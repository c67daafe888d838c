"""The pages of docs/ablations and two figures, remade from the records beside them: `python -m docs.make.ablations`.

The records are those of `topformer ablate all --quick`; nothing is trained.
"""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.records.record import JsonlStore
from experiments.ablations.definition import table, table_names
from experiments.ablations.plan import Base
from experiments.ablations.report import remake
from search_space.candidate import Candidate
from topformer.presets import preset

DOCS = Path(__file__).parent.parent
BASE, SIDE = "nano", 128
"""What the rows' edits were applied to, and its input size."""
FIGURES = ("table-4", "figure-1")
"""The tables whose figures the documentation shows."""


def write(docs: Path = DOCS) -> None:
    """Writes a page per table into `ablations`, and the figures into `figures`, below a folder.

    Args:
        docs: The folder; its `ablations/records.jsonl` is read.
    """
    base = Base(name=BASE, candidate=Candidate(design=preset(BASE), height=SIDE, width=SIDE))
    records = list(JsonlStore(docs / "ablations" / "records.jsonl"))
    with TemporaryDirectory() as folder:
        _, files = remake([table(name) for name in table_names()], records, base, Path(folder))
        for page in files.tables.glob("*.md"):
            shutil.copyfile(page, docs / "ablations" / page.name)
        for name in FIGURES:
            shutil.copyfile(files.tables / f"{name}.png", docs / "figures" / f"ablation-{name}.png")


def main() -> None:
    """Remakes the pages and figures."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write()


if __name__ == "__main__":
    main()
