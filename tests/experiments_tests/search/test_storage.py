"""The copy in Optuna's storage: faithful, mended from the records, and errors in one sentence."""

import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest

from analysis.records.record import State
from experiments.search.searcher import Observation
from experiments.search.storage import JOURNAL_FILE, StorageReplica
from search_space.spaces.space import Space
from search_space.spaces.space import space as make_space
from tests.experiments_tests.search.test_searcher import DIRECTIONS, complete, searcher
from topformer.errors import StorageError, StudyError


@pytest.fixture(scope="module")
def space() -> Space:
    return make_space("paper", base="nano", height=128, width=128)


def replica(folder: Path, space: Space, url: str = "journal") -> StorageReplica:
    choices = {axis.name: axis.labels for axis in space.axes}
    return StorageReplica(url, folder, name="copy", directions=DIRECTIONS, choices=choices)


def opened(folder: Path) -> optuna.Study:
    """The copy as another program opens it."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL_FILE))
    return optuna.load_study(study_name="copy", storage=optuna.storages.JournalStorage(backend))


def stored(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return opened(folder).trials


def pruned(trial: int, labels: Mapping[str, str]) -> Observation:
    return Observation(trial=trial, state=State.PRUNED, labels=labels, constraints={"macs": 0.5})


def observations(space: Space, number: int) -> list[Observation]:
    asked = searcher(space)
    return [
        complete(i, asked.ask(space).labels) if i % 3 == 0 else pruned(i, asked.ask(space).labels)
        for i in range(number)
    ]


def test_the_copy_holds_every_observation(tmp_path: Path, space: Space) -> None:
    history = observations(space, 6)
    replica(tmp_path, space).add(history)
    found = stored(tmp_path)
    assert [trial.params for trial in found] == [dict(item.labels) for item in history]
    assert [trial.constraints for trial in found] == [item.constraints for item in history]
    assert found[0].values == [1.0, 2.0]


def test_a_copy_that_lost_trials_is_completed(tmp_path: Path, space: Space) -> None:
    history = observations(space, 6)
    replica(tmp_path, space).add(history[:4])
    assert replica(tmp_path, space).reconcile(history) == 2
    assert [trial.user_attrs["trial"] for trial in stored(tmp_path)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("spoilt", ["twice", "running", "foreign"])
def test_a_copy_with_other_trials_is_written_anew(spoilt: str, tmp_path: Path, space: Space) -> None:
    history = observations(space, 4)
    copy = replica(tmp_path, space)
    copy.add(history)
    if spoilt == "twice":
        copy.add(history[:1])
    elif spoilt == "running":
        opened(tmp_path).ask()
    else:
        copy.add([pruned(99, history[0].labels)])
    assert replica(tmp_path, space).reconcile(history) == 4
    assert [trial.user_attrs["trial"] for trial in stored(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", [b'{"op_code": 4', b"no json\n", b"[]\n", b"7\n", b'"text"\n', b"null\n"])
def test_a_damaged_journal_is_made_again_from_the_records(damage: bytes, tmp_path: Path, space: Space) -> None:
    history = observations(space, 4)
    replica(tmp_path, space).add(history)
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        # Optuna forgives a broken last line only until something is written after it.
        file.write(damage + (json.dumps({}).encode() + b"\n" if damage.endswith(b"\n") else b""))
    replica(tmp_path, space).reconcile(history)
    assert len(stored(tmp_path)) == 4


def test_a_database_holds_the_copy_too(tmp_path: Path, space: Space) -> None:
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    replica(tmp_path, space, url).add(observations(space, 3))
    database = sqlite3.connect(tmp_path / "copy.db")
    assert database.execute("SELECT COUNT(*) FROM trials").fetchall() == [(3,)]
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@127.0.0.1:9/study",
        "sqlite:////no/such/folder/copy.db",
        "oracl://x/y",
    ],
)
def test_a_storage_that_does_not_answer_is_one_sentence_without_the_password(
    url: str, tmp_path: Path, space: Space
) -> None:
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"^storage .* does not answer: ") as caught:
        replica(tmp_path, space, url)
    assert time.monotonic() - began < 8
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_refused_without_its_password(tmp_path: Path, space: Space) -> None:
    with pytest.raises(StudyError, match="storage must be 'journal' or a URL") as caught:
        replica(tmp_path, space, "postgresql+psycopg://me:secret@127.0.0.1:notaport/study")
    assert "secret" not in str(caught.value)


def test_what_others_noted_finished_or_enqueued_stays_where_the_copy_is_written_anew(
    tmp_path: Path, space: Space
) -> None:
    history = observations(space, 3)
    copy = replica(tmp_path, space)
    copy.add([*history, history[0]])
    other = opened(tmp_path)
    other.set_user_attr("note", "mine")
    other.enqueue_trial({"depth": "2"})
    other.add_trial(optuna.trial.create_trial(values=[3.0, 4.0], user_attrs={"by": "hand"}))
    replica(tmp_path, space).reconcile(history)
    study = opened(tmp_path)
    assert study.user_attrs == {"note": "mine"}
    assert sorted(trial.user_attrs["trial"] for trial in study.trials if "trial" in trial.user_attrs) == [0, 1, 2]
    assert [trial.values for trial in study.trials if trial.user_attrs.get("by") == "hand"] == [[3.0, 4.0]]
    (request,) = replica(tmp_path, space).requests(space, print)
    assert request.labels["depth"] == "2"


def test_a_request_ends_as_its_trial_does_also_after_a_kill(tmp_path: Path, space: Space) -> None:
    copy = replica(tmp_path, space)
    opened(tmp_path).enqueue_trial(dict(observations(space, 1)[0].labels))
    (request,) = copy.requests(space, print)
    copy.accept(request.number, 7)
    again = replica(tmp_path, space)
    assert [(one.trial, dict(one.labels)) for one in again.unfinished()] == [(7, dict(request.labels))]
    again.reconcile([complete(7, request.labels)])
    (trial,) = stored(tmp_path)
    assert (trial.state.name, trial.values, trial.user_attrs["trial"]) == ("COMPLETE", [1.0, 2.0], 7)


def test_a_request_that_the_space_cannot_answer_is_said(tmp_path: Path, space: Space) -> None:
    copy, notes = replica(tmp_path, space), list[str]()
    opened(tmp_path).enqueue_trial({"depth": "no such label"})
    opened(tmp_path).enqueue_trial({"no such axis": "1"})
    assert copy.requests(space, notes.append) == []
    assert len(notes) == 2
    assert [trial.state.name for trial in stored(tmp_path)] == ["FAIL", "FAIL"]
