"""A truth table as files for others."""

import csv
from pathlib import Path

from analysis.reports.truth_folder import write_truth
from tests.analysis_tests.truth_tables import numbered, table


def test_the_files_are_plain_tables_with_one_line_for_each_score(tmp_path: Path) -> None:
    paths = write_truth(table(numbered(3), lambda _one, seed: 1 / 3 + seed), tmp_path / "new" / "t", {"name": "x"})
    assert [path.name for path in paths] == ["protocol.json", "designs.csv", "scores.csv"]
    lines = list(csv.DictReader(paths[2].read_text().splitlines()))
    assert len(lines) == 6
    assert lines[1] | {"value": ""} == {
        "metric": "miou@tokenworld-128", "source": "trained", "iterations": "1200", "schedule": "1200",
        "evaluator": "lean:0", "fingerprint": "d0", "seed": "1", "value": "", "seconds": "100",
    }  # fmt: skip
    # Six digits: more than any of them is measured with.
    assert (lines[0]["value"], lines[1]["value"]) == ("0.333333", "1.33333")
