"""The pages of the ablations are those of the records beside them."""

import shutil
from pathlib import Path

import matplotlib.image

from docs.make.ablations import DOCS, FIGURES, write


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
