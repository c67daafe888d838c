"""Points are called by short ids and by the axes that tell most of them apart."""

from dataclasses import replace

import pytest

from analysis.plots.naming import design_name, short_ids, telling_axes
from analysis.records.record import Record
from tests.analysis_tests.examples import record


def test_short_ids_are_as_short_as_they_can_be() -> None:
    assert short_ids(["aaaa1", "bbbb1"]) == {"aaaa1": "aaaa", "bbbb1": "bbbb"}
    assert short_ids(["aaaa1x", "aaaa2x"]) == {"aaaa1x": "aaaa1", "aaaa2x": "aaaa2"}
    assert short_ids(["aaaaaa1", "aaaaaa2"])["aaaaaa1"] == "aaaaaa"


def labelled(*labels: dict[str, str]) -> list[Record]:
    return [replace(record(number), labels=each) for number, each in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        ([{"a": "1", "b": "x"}, {"a": "1", "b": "y"}, {"a": "2", "b": "z"}], ("b",)),
        ([{"a": "1", "b": "x"}, {"a": "2", "b": "x"}, {"a": "1", "b": "y"}], ("a", "b")),
        ([{"a": "1"}, {"a": "1"}], ()),
        ([{"a": "1"}, {}], ()),
        ([{"a": "1"}, {"a": "2", "b": "x"}], ("a",)),
        ([], ()),
    ],
)
def test_the_axes_that_tell_most_apart_come_first(labels: list[dict[str, str]], axes: tuple[str, ...]) -> None:
    assert telling_axes(labelled(*labels)) == axes


def test_a_design_is_its_id_and_its_labels() -> None:
    (one,) = labelled({"a": "4+16", "b": "96"})
    ids = {one.fingerprint: "d86f"}
    assert design_name(one, ids, ("a", "b")) == "d86f: 4+16, 96"
    assert design_name(one, ids, ()) == "d86f"
