"""A ladder as a table."""

from analysis.reports.ladder_table import ladder_notes, ladder_table, ladder_text
from analysis.results.ladder import ladder
from tests.analysis_tests.truth_tables import HALF, numbered, table


def test_every_rung_is_a_row_and_what_is_not_known_is_empty() -> None:
    made = table(numbered(8), lambda one, _: one.costs["parameters"], others={HALF: lambda one, _: 1.0})
    found = ladder(made)
    rows = {row[0]: row for row in ladder_table(found).rows}
    assert rows["parameters"] == ("parameters", "8", "1.00 [1.00, 1.00]", "100%", "", "", "0")
    # Eight designs with two seeds are too few for a measured ceiling.
    assert ladder_notes(found)[0].endswith("expected from the noise between seeds; 8 designs have two seeds")
    assert any("share their seed with the truth" in line for line in ladder_notes(found))


def test_the_ceiling_stands_below_and_its_share_in_the_row() -> None:
    found = ladder(table(numbered(20), lambda one, _: one.costs["parameters"]))
    assert dict(zip(*[ladder_table(found).header, ladder_table(found).rows[0]], strict=True))["of ceiling"] == "100%"
    text = ladder_text(found)
    assert "agrees with the other's at 1.00 [1.00, 1.00] (20 designs)" in text
    assert max(map(len, text.splitlines())) <= 120
