"""What a free worker does next."""

from experiments.search.halving.climb import Climb, Move


def run(climb: Climb, values: dict[str, float], *, workers: int = 1) -> list[tuple[int, str]]:
    """Climb to the end with one objective; evaluations end in the order in which they began."""
    fresh, done, running = iter(values), list[tuple[int, str]](), list[tuple[int, str]]()
    while True:
        while len(running) < workers and (move := climb.next()) is not None:
            design = move.design or next(fresh)
            climb.begin(move.rung, design, ((), ()) if move.design is None else ())
            running.append((move.rung, design))
        if not running:
            return done
        rung, design = running.pop(0)
        climb.finish(rung, design, (values[design],))
        done.append((rung, design))


VALUES = {name: float(value) for value, name in enumerate("dbeacf")}


def test_the_best_of_the_lower_rung_go_on() -> None:
    done = run(Climb((6, 3)), VALUES)
    assert [design for rung, design in done if rung == 0] == list(VALUES)
    assert [design for rung, design in done if rung == 1] == ["d", "b", "e"]


def test_a_free_worker_does_not_wait_for_the_rest_of_a_rung() -> None:
    climb = Climb((2, 1))
    for design in "ab":
        assert climb.next() == Move(0, None)
        climb.begin(0, design, ((), ()))
    # Both run: there is nobody yet who could go on.
    assert climb.next() is None
    climb.finish(0, "a", (5.0,))
    assert climb.next() == Move(1, "a")


def test_rounds_climb_to_the_top_before_the_next_designs_are_begun() -> None:
    done = run(Climb((6, 2), rounds=2), VALUES)
    assert [rung for rung, _ in done] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert done[3] == (1, "d")
    # The best of all that have not gone on, the first round's included.
    assert done[7] == (1, "b")


def test_anchors_go_on_whatever_they_are_worth() -> None:
    done = run(Climb((6, 1), favoured=frozenset("f")), VALUES)
    assert [design for rung, design in done if rung == 1] == ["f"]


def test_another_takes_the_place_of_a_failure() -> None:
    climb = Climb((3, 1))
    for design in "abc":
        climb.begin(0, design, ((), ()))
        climb.finish(0, design, (float(ord(design)),))
    climb.begin(1, "a")
    climb.finish(1, "a", None)
    assert climb.next() == Move(1, "b")
    assert dict(climb.points(1)) == {}


def test_where_no_design_is_left_those_that_are_there_climb_on() -> None:
    climb = Climb((100, 1))
    climb.begin(0, "a", ((), ()))
    climb.finish(0, "a", (1.0,))
    assert climb.next() == Move(0, None)
    climb.close()
    assert climb.next() == Move(1, "a")
