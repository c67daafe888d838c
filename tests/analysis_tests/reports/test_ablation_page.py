"""The files of an ablation: every form is there, and the page needs no other file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.reports.ablation_page import FORMS, ablations_html, write_ablations
from analysis.results.ablation import AblationRow
from tests.analysis_tests.ablation_examples import ablation, exact
from topformer.errors import StorageError


def test_every_form_is_written_and_the_page_needs_no_other_file(tmp_path: Path) -> None:
    files = write_ablations([ablation(), ablation(id="mine", source="", evaluation=None)], tmp_path)
    assert {path.name for path in files.tables.iterdir()} == {f"{n}.{f}" for n in ("table-6", "mine") for f in FORMS}
    text = files.page.read_text()
    assert text.count("data:image/svg+xml;base64,") == 2
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert all((tmp_path / link).exists() for link in re.findall(r'href="(tables/[^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) == {"table-6", "mine"}


def test_labels_are_text_in_the_page() -> None:
    rows = (AblationRow(label="<script>", costs={"parameters": exact(1)}),)
    text = ablations_html([ablation(rows=rows, baseline="", evaluation=None)], {"table-6": b"<svg/>"})
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        write_ablations([ablation()], tmp_path)


def test_tables_are_rendered_without_torch() -> None:
    program = "import sys, analysis.reports.ablation_page, analysis.plots.ablation; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
