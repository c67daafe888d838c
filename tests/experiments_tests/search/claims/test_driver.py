"""One of several drivers: what it exchanges with the database, and in which order things become safe."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore, Key, State
from experiments.engines.fence import check_attempt, current_attempt
from experiments.search.claims.claims import Claims
from experiments.search.claims.driver import Driver, News, joined
from experiments.trials.run_folder import RunFolder
from tests.experiments_tests.search.claims.examples import done, failed, pruned
from tests.experiments_tests.trials.test_loop import trial
from topformer.errors import MachineError, StorageError, StudyError

IDENTITY, FIDELITY = "study", trial(0).fidelity


class Ear:
    """Hears what others did."""

    waits = False

    def __init__(self) -> None:
        self.records: list[int] = []
        self.dropped: list[Key] = []

    def learn(self, news: News) -> bool:
        self.records += [record.trial for record in news.records]
        return bool(news.records)

    def drop(self, key: Key) -> None:
        self.dropped.append(key)


class Both:
    """Two drivers with folders of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    def run(self, name: str) -> RunFolder:
        return RunFolder(self._folder / name, {"name": "test"})

    def join(self, run: RunFolder, *, lease: float = 60.0) -> "Joined":
        return Joined(self._url, run, lease)


class Joined:
    def __init__(self, url: str, run: RunFolder, lease: float) -> None:
        self._context = joined(url, run, study=IDENTITY, fidelity=FIDELITY, lease=lease, note=print)
        self.ear = Ear()

    def __enter__(self) -> tuple[Driver, Claims, Ear]:
        driver, claims = self._context.__enter__()
        driver.listen(self.ear)
        return driver, claims, self.ear

    def __exit__(self, *why: object) -> None:
        self._context.__exit__(*why)  # type: ignore[arg-type]


@pytest.fixture
def both(url: str, tmp_path: Path) -> Both:
    return Both(url, tmp_path)


def trials(run: RunFolder) -> list[int]:
    return [record.trial for record in JsonlStore(run.path / "records.jsonl")]


@pytest.fixture
def folders(both: Both) -> Iterator[tuple[RunFolder, RunFolder]]:
    with both.run("one") as one, both.run("other") as other:
        yield one, other


def test_each_folder_gets_the_records_of_all(both: Both, folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = folders
    with both.join(one) as (first, _, _), both.join(other) as (second, _, ear):
        claimed = first.claim(trial(0))
        assert claimed is not None
        assert (claimed.number, claimed.attempt) == (0, 1)
        assert first.append([replace(done(0), trial=claimed.number)]) == {trial(0).key}
        assert second.look(at_once=True)
        assert not second.look(at_once=True)
        assert not first.look(at_once=True)
    assert trials(one) == trials(other) == ear.records == [0]


def test_a_folder_that_was_away_gets_what_happened_meanwhile_and_gives_what_it_has(
    both: Both, folders: tuple[RunFolder, RunFolder]
) -> None:
    one, other = folders
    one.append([done(0), pruned(1)])
    with both.join(one):
        pass
    with both.join(other) as (driver, _, _):
        assert trials(other) == [0, 1]
        assert driver.claim(trial(0)) is None
        pruned_next = driver.claim(trial(2, pruned="too slow"))
        assert pruned_next is not None
        assert pruned_next.number == 2
        driver.append([pruned(2)])
    with both.join(one):
        assert trials(one) == [0, 1, 2]


def test_a_record_that_a_kill_kept_from_the_folder_comes_from_the_database(
    both: Both, folders: tuple[RunFolder, RunFolder]
) -> None:
    one, _ = folders
    with both.join(one) as (driver, _, _):
        driver.claim(trial(0))
        driver.append([done(0)])
    (one.path / "records.jsonl").unlink()
    with both.join(one):
        assert trials(one) == [0]


def test_a_folder_whose_numbers_others_have_is_refused_and_stays(
    both: Both, folders: tuple[RunFolder, RunFolder]
) -> None:
    one, other = folders
    one.append([done(0)])
    other.append([replace(done(1), trial=0)])
    with both.join(one):
        pass
    with pytest.raises(StudyError, match=r"holds trial 0 as .*, the storage as .*: it was made without this storage"):
        both.join(other).__enter__()
    assert trials(other) == [0]


def test_what_was_taken_over_does_not_count_and_is_dropped(both: Both, folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = folders
    with both.join(one, lease=0.0) as (asleep, _, ear), both.join(other, lease=0.0) as (awake, _, _):
        asleep.claim(trial(0))
        taken = awake.claim(trial(0))
        assert taken is not None
        assert taken.attempt == 2
        assert asleep.append([done(0)]) == set()
        assert ear.dropped == [trial(0).key]
        assert awake.append([done(0)]) == {trial(0).key}
    assert trials(one) == []


def test_what_was_taken_over_is_evaluated_here_no_longer(both: Both, folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = folders
    with both.join(one, lease=0.0) as (asleep, _, _), both.join(other, lease=0.0) as (awake, _, _):
        claimed = asleep.claim(trial(0))
        assert claimed is not None
        folder = asleep.begin(claimed)
        asleep.renew()
        check_attempt(folder, 1)
        awake.claim(trial(0))
        asleep.renew()
        with pytest.raises(MachineError, match="so that attempt 1 stops"):
            check_attempt(folder, 1)


def test_who_ends_by_an_error_keeps_what_it_holds_until_the_lease_is_over(
    both: Both, folders: tuple[RunFolder, RunFolder]
) -> None:
    one, other = folders

    def fail() -> None:
        with both.join(one) as (driver, _, _):
            driver.claim(trial(0))
            raise StorageError("the disk is full")

    with both.join(other) as (_, claims, _):
        with pytest.raises(StorageError, match="the disk is full"):
            fail()
        assert [claim.is_abandoned for claim in claims.others()] == [False]
        with both.join(one) as (driver, _, _):
            assert driver.claim(trial(0)) is not None
        assert [claim.is_abandoned for claim in claims.others()] == [True]


def test_a_clock_that_jumps_is_said_once(
    both: Both,
    folders: tuple[RunFolder, RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with both.join(folders[0], lease=0.5) as (driver, _, _):
        driver.renew()
        monkeypatch.setattr(Claims, "time", lambda of: time.time() + 3_600)
        for _ in range(2):
            time.sleep(0.2)
            driver.renew()
    said = capsys.readouterr().out
    assert said.count("the clock of the storage has jumped by +3,6") == 1
    assert "none of them counts twice" in said


def test_the_attempt_stands_in_the_note_of_the_folder_and_never_falls(
    both: Both, folders: tuple[RunFolder, RunFolder]
) -> None:
    one, _ = folders
    with both.join(one, lease=0.0) as (driver, _, _):
        first = driver.claim(trial(0))
        second = driver.claim(trial(0))
        assert first is not None
        assert second is not None
        folder = driver.begin(second)
        assert current_attempt(folder) == second.attempt == 2
        driver.begin(first)
        assert current_attempt(folder) == 2


def test_a_failed_evaluation_is_repeated_by_one_of_them(both: Both, folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = folders
    with both.join(one) as (first, _, _), both.join(other) as (second, _, _):
        first.claim(trial(0))
        first.append([failed(0, finished="2026-01-01T00:00:00+00:00")])
        second.look(at_once=True)
        first.reopen([trial(0).key])
        second.reopen([trial(0).key])
        assert second.claim(trial(0)) is not None
        assert first.claim(trial(0)) is None
        second.append([done(0)])
        first.look(at_once=True)
    assert [record.state for record in JsonlStore(one.path / "records.jsonl")] == [State.FAILED, State.COMPLETE]
