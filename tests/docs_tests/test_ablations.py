"""The pages of the ablations are those of the records beside them."""

import shutil
from pathlib import Path

import matplotlib.image

from analysis.reports.ablation_table import text_tables
from analysis.reports.text_table import plain
from docs.make.ablations import DOCS, FIGURES, write
from experiments.ablations.definition import table, table_names
from experiments.ablations.plan import Base
from experiments.ablations.results import results


def test_the_pages_are_those_of_the_records(tmp_path: Path) -> None:
    (tmp_path / "ablations").mkdir()
    (tmp_path / "figures").mkdir()
    shutil.copyfile(DOCS / "ablations" / "records.jsonl", tmp_path / "ablations" / "records.jsonl")
    write(tmp_path)
    committed = {path.name: path.read_text("utf-8") for path in (DOCS / "ablations").glob("*.md")}
    assert len(committed) == 13
    assert {path.name: path.read_text("utf-8") for path in (tmp_path / "ablations").glob("*.md")} == committed
    for name in FIGURES:
        assert matplotlib.image.imread(tmp_path / "figures" / f"ablation-{name}.png").shape[1] > 1000


def test_every_committed_table_reads_at_80_columns() -> None:
    tables = results([table(name) for name in table_names()], Base(name="nano", candidate=None))
    lines = [line for one in tables for part in text_tables(one) for line in plain(part).splitlines()]
    assert max(map(len, lines)) <= 80
    # No table falls into blocks.
    assert sum(line.startswith("row ") for line in lines) == sum(len(text_tables(one)) for one in tables)
