"""Who evaluates what: one driver at a time, whatever dies, sleeps or asks twice."""

import threading
import time
from collections import Counter

import pytest

from analysis.records.record import Record
from experiments.search.claims.claims import Claims
from experiments.search.claims.rows import Claim
from tests.experiments_tests.search.claims.examples import claimed, claims, done, failed, pruned
from tests.experiments_tests.search.claims.private_server import PrivateServer
from tests.experiments_tests.trials.test_loop import trial


def records(of: Claims, after: int = 0) -> list[Record]:
    return [record for _, record in of.records(after)]


def test_of_many_drivers_one_has_each_evaluation(url: str) -> None:
    got: list[int] = []

    def work(of: Claims) -> None:
        got.extend(number for number in range(10) if claimed(of, number) is not None)

    threads = [threading.Thread(target=work, args=(claims(url, f"driver {n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(got) == dict.fromkeys(range(10), 1)


def test_a_lease_that_is_over_goes_to_the_next_with_a_higher_attempt(url: str) -> None:
    asleep, awake = claims(url, "asleep", lease=0.3), claims(url, "awake", lease=0.3)
    assert claimed(asleep) == Claim(attempt=1, trial=0)
    assert claimed(awake) is None
    time.sleep(0.5)
    assert claimed(awake) == Claim(attempt=2, trial=0)
    assert asleep.renew() == [trial(0).key]
    assert not asleep.finish(done(0, 1.0))
    assert awake.finish(done(0, 2.0))
    assert [record.metrics["miou@scripted"].value for record in records(asleep)] == [2.0]


def test_no_lease_is_over_while_the_server_was_away_and_nobody_could_renew(server: PrivateServer) -> None:
    url = server.database()
    asleep, other = claims(url, "asleep", lease=1.5), claims(url, "other", lease=1.5)
    claimed(asleep)
    time.sleep(1.7)
    assert [claim.is_abandoned for claim in other.others()] == [True]
    server.stop()
    server.start()
    assert [claim.is_abandoned for claim in other.others()] == [False]
    assert claimed(other) is None
    # What was let go is free all the same.
    asleep.leave()
    assert claimed(other) == Claim(attempt=2, trial=0)


def test_a_renewed_lease_is_not_over(url: str) -> None:
    one, other = claims(url, "one", lease=0.6), claims(url, "other")
    claimed(one)
    for _ in range(4):
        time.sleep(0.3)
        assert one.renew() == []
    assert claimed(other) is None


def test_a_lease_that_is_over_and_that_nobody_took_can_be_finished(url: str) -> None:
    one = claims(url, lease=0.1)
    claimed(one)
    time.sleep(0.3)
    assert one.renew() == []
    assert one.finish(done(0))


def test_what_has_a_record_is_never_claimed_again(url: str) -> None:
    one = claims(url, lease=0.1)
    claimed(one)
    one.finish(done(0))
    time.sleep(0.3)
    assert claimed(one) is None
    assert claimed(claims(url, "other")) is None


def test_asking_again_where_the_answer_was_lost_gives_it_with_a_higher_attempt(url: str) -> None:
    one = claims(url)
    assert claimed(one) == Claim(1, 0)
    assert claimed(one) == Claim(2, 0)


def test_the_attempt_is_higher_than_what_the_folder_notes(url: str) -> None:
    one = claims(url, lease=0.1)
    assert claimed(one, first=4) == Claim(4, 0)
    time.sleep(0.3)
    assert claimed(claims(url, "other", lease=0.1), first=9) == Claim(9, 0)


def test_what_a_driver_lets_go_is_there_for_the_others_at_once(url: str) -> None:
    one, other = claims(url, "one"), claims(url, "other")
    claimed(one)
    assert [(claim.trial, claim.is_abandoned) for claim in other.others()] == [(0, False)]
    one.leave()
    (left,) = other.others()
    assert (left.key, left.labels, left.origin, left.is_abandoned) == (trial(0).key, {"width": "64"}, "sampler", True)
    assert claimed(other) == Claim(2, 0)


def test_a_driver_that_comes_back_finds_what_its_last_process_held(url: str) -> None:
    claimed(claims(url, "one", lease=0.3))
    back, other = claims(url, "one"), claims(url, "other", lease=0.3)
    time.sleep(0.5)
    # It has the checkpoints: to the others it runs, for another lease.
    assert [claim.is_abandoned for claim in other.others()] == [False]
    assert claimed(other) is None
    assert [claim.is_abandoned for claim in back.others()] == [True]
    assert claimed(back) == Claim(2, 0)
    assert back.others() == []


def test_records_are_read_once_in_the_order_in_which_they_were_written(url: str) -> None:
    one, other = claims(url, "one"), claims(url, "other")
    claimed(one, 3)
    first = done(3)
    one.finish(first)
    assert other.add([pruned(5), pruned(4)]) == {trial(5).key, trial(4).key}
    assert [record.trial for record in records(one)] == [3, 5, 4]
    assert [record.trial for record in records(one, after=2)] == [4]
    assert records(one)[0] == first


def test_no_reader_misses_a_record_that_became_visible_late(url: str) -> None:
    seen: list[int] = []

    def write(of: Claims, start: int) -> None:
        for number in range(start, start + 15):
            of.add([pruned(number)])

    writers = [threading.Thread(target=write, args=(claims(url, f"w{n}"), 20 * n)) for n in range(3)]
    for writer in writers:
        writer.start()
    reader, last = claims(url, "reader"), 0
    while any(writer.is_alive() for writer in writers) or len(seen) < 45:
        for number, record in reader.records(last):
            last = number
            seen.append(record.trial)
        assert len(seen) <= 45
    assert sorted(seen) == sorted(20 * n + i for n in range(3) for i in range(15))


def test_a_failed_record_gives_way_to_its_repetition_and_no_other_does(url: str) -> None:
    one = claims(url)
    claimed(one)
    one.finish(failed(0))
    one.reopen([trial(0).key])
    assert claimed(one) == Claim(2, 0)
    one.finish(done(0, 7.0))
    one.reopen([trial(0).key])
    assert claimed(one) is None
    assert one.add([failed(0)]) == set()
    assert [record.state for record in records(one)] == ["complete"]


def test_a_record_that_was_made_elsewhere_cannot_be_claimed(url: str) -> None:
    one = claims(url)
    one.add([done(0), pruned(8)])
    assert claimed(one) is None
    assert min(one.numbers(1)) == 9


def test_no_more_are_begun_than_are_asked_for_but_what_was_begun_goes_on(url: str) -> None:
    one, other = claims(url, "one"), claims(url, "other")

    def claim(of: Claims, number: int) -> Claim | None:
        return of.claim(trial(number).key, trial=number, labels={}, origin="sampler", most=2)

    # Numbers are given out before what they are for is claimed.
    one.numbers(3)
    assert claim(one, 0) == Claim(1, 0)
    assert claim(other, 1) == Claim(1, 1)
    assert claim(one, 2) is None
    one.leave()
    assert claim(other, 0) == Claim(2, 0)
    other.finish(failed(0))
    assert claim(one, 2) == Claim(1, 2)


def test_numbers_are_given_once(url: str) -> None:
    one, other = claims(url, "one"), claims(url, "other")
    assert [*one.numbers(3), *other.numbers(2), *one.numbers(1)] == [0, 1, 2, 3, 4, 5]


def test_a_task_has_one_keeper_at_a_time(url: str) -> None:
    one, other = claims(url, "one", lease=0.2), claims(url, "other", lease=0.2)
    assert one.hold("copy")
    assert not other.hold("copy")
    assert other.others() == []
    time.sleep(0.4)
    assert other.hold("copy")
    assert one.holds("copy")
    one.renew()
    assert not one.holds("copy")


@pytest.mark.parametrize("owner", ["a/b", "../..", "quo'te\"", "x; DROP TABLE topformer_claims", "two\nlines", "\\"])
def test_names_do_no_harm(owner: str, url: str) -> None:
    one = claims(url, owner)
    assert one.claim(trial(0).key, trial=0, labels={owner: owner}, origin=owner) == Claim(1, 0)
    (seen,) = claims(url, "other").others()
    assert (dict(seen.labels), seen.origin) == ({owner: owner}, owner)
