"""The files of an ablation: every table in every form."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.reports.ablation_files import FORMS, write_tables
from tests.analysis_tests.ablation_examples import ablation
from topformer.errors import StorageError


def test_every_form_is_written(tmp_path: Path) -> None:
    place = write_tables([ablation(), ablation(id="mine", source="", evaluation=None)], tmp_path)
    assert {path.name for path in place.iterdir()} == {f"{n}.{f}" for n in ("table-6", "mine") for f in FORMS}


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        write_tables([ablation()], tmp_path)


def test_tables_and_pages_are_made_without_torch() -> None:
    wanted = "analysis.reports.pages.ablation.ablation_page, analysis.plots.ablation"
    program = f"import sys, {wanted}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
