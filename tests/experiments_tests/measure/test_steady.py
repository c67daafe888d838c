"""What a calibration takes as the time of a row when references disagree."""

from dataclasses import replace

import pytest

from experiments.measure.calibration import calibrate
from experiments.measure.rows import MeasuredRow
from experiments.measure.steady import reference_notes, steady_times
from search_space.latency.calibration.devices import device
from search_space.latency.coefficients import SHAPE
from tests.experiments_tests.measure.examples import row, time_ms
from topformer.design import Design
from topformer.presets import BASE, NANO, SMALL, TINY

PRIOR = device("snapdragon-865")
SLOWNESS = 0.3


def rows_at(size: int, *designs: Design) -> list[MeasuredRow]:
    """Rows of a device that never changes; the reference takes 20 ms."""
    return [row(design, size, time_ms(design, size, slowness=SLOWNESS)) for design in designs]


def slowed(one: MeasuredRow, factor: float) -> MeasuredRow:
    """The same row, measured while the machine was slower by that factor."""
    return replace(one, median_ms=one.median_ms * factor, reference_ms=one.reference_ms * factor)


def with_wrong_reference(one: MeasuredRow, factor: float) -> MeasuredRow:
    """The same row, whose reference alone was measured wrong."""
    return replace(one, reference_ms=one.reference_ms * factor, ratio=one.ratio / factor)


@pytest.mark.parametrize("factor", [0.1, 1 / 3, 3.0, 10.0])
@pytest.mark.parametrize("wrong", [0, 3])
def test_one_wrong_reference_moves_no_row(factor: float, wrong: int) -> None:
    good = rows_at(512, NANO, TINY, SMALL, BASE)
    rows = [with_wrong_reference(one, factor) if number == wrong else one for number, one in enumerate(good)]
    steady = steady_times(rows, PRIOR)
    assert [one.milliseconds for one in steady] == pytest.approx([one.median_ms for one in good])
    assert [bool(one.note) for one in steady] == [number == wrong for number in range(4)]
    assert steady[wrong].note.startswith(f"{rows[wrong].label}: its reference took ")


@pytest.mark.parametrize("factor", [0.1, 1 / 3, 3.0, 10.0])
def test_of_two_references_the_wrong_one_is_found_by_the_other_rows(factor: float) -> None:
    good = [*rows_at(512, TINY, SMALL), *rows_at(256, NANO)]
    rows = [good[0], with_wrong_reference(good[1], factor), good[2]]
    times = [one.milliseconds for one in steady_times(rows, PRIOR)]
    assert times == pytest.approx([one.median_ms for one in good])


@pytest.mark.parametrize("factor", [0.5, 1.1, 3.0])
def test_a_machine_that_was_slower_for_a_while_is_corrected_by_its_reference(factor: float) -> None:
    good = rows_at(512, NANO, TINY, SMALL, BASE)
    rows = [good[0], slowed(good[1], factor), *good[2:]]
    times = [one.milliseconds for one in steady_times(rows, PRIOR)]
    assert times == pytest.approx([one.median_ms for one in good])


def test_how_far_references_lie_apart_is_said_and_both_times_are_shown() -> None:
    good = rows_at(512, NANO, TINY, SMALL, BASE)
    rows = [slowed(good[0], 3.0), *good[1:]]
    assert reference_notes(good) == []
    (note,) = reference_notes(rows)
    assert note.startswith("tiny at 512x512, the reference of 4 rows, took 20 to 60 ms")
    lines = calibrate("board", rows, prior="snapdragon-865").render().splitlines()
    head = next(line.split() for line in lines if line.startswith("network"))
    nano = next(line.split() for line in lines if line.startswith("nano"))
    assert head[1:3] == ["measured", "steady"]
    assert [float(nano[2]), float(nano[4])] == pytest.approx([rows[0].median_ms, good[0].median_ms], abs=0.005)


def test_a_row_that_does_not_fit_the_others_is_named() -> None:
    good = [*rows_at(512, NANO, TINY, SMALL, BASE), *rows_at(256, TINY, BASE)]
    odd = replace(good[3], median_ms=3 * good[3].median_ms, min_ms=3 * good[3].min_ms, p90_ms=3 * good[3].p90_ms)
    rows = [*good[:3], replace(odd, ratio=3 * odd.ratio), *good[4:]]
    assert not any("does not fit" in note for note in calibrate("board", good, prior="snapdragon-865").notes)
    (note,) = [note for note in calibrate("board", rows, prior="snapdragon-865").notes if "does not fit" in note]
    assert note.startswith("base 512x512 does not fit the others: it took ")


def test_a_row_whose_runs_scatter_counts_less() -> None:
    good = [*rows_at(512, NANO, TINY, SMALL, BASE), *rows_at(256, BASE)]
    off = replace(good[1], median_ms=1.3 * good[1].median_ms, p90_ms=1.9 * good[1].median_ms, ratio=1.3 * good[1].ratio)
    scattered = [good[0], replace(off, stable=False), *good[2:]]
    trusted = [good[0], replace(off, p90_ms=off.median_ms * 1.02), *good[2:]]
    errors = {}
    for name, rows in (("scattered", scattered), ("trusted", trusted)):
        model = calibrate("board", rows, prior="snapdragon-865").model
        errors[name] = abs(model.ms_per_gmac / SHAPE.scaled(SLOWNESS).ms_per_gmac - 1)
    assert errors["scattered"] < errors["trusted"] / 2
