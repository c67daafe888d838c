"""Optuna behind the sweep: a short memory, a faithful copy, and errors in one sentence."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest

from analysis.records.record import State
from experiments.search.searcher import JOURNAL_FILE, PRUNED_KEPT, Mirror, Observation, Proposal, Searcher
from search_space.spaces.space import Space
from search_space.spaces.space import space as make_space
from topformer.errors import StorageError, StudyError

DIRECTIONS = ("max", "min")
SAMPLERS = ("tpe", "nsga2", "nsga3", "gp", "random", "grid")


@pytest.fixture(scope="module")
def space() -> Space:
    return make_space("paper", base="nano", height=128, width=128)


def searcher(space: Space, sampler: str = "random", seed: int = 0) -> Searcher:
    choices = {axis.name: axis.labels for axis in space.axes}
    return Searcher(sampler, directions=DIRECTIONS, choices=choices, seed=seed, trials=50)


def mirror(folder: Path, space: Space, url: str = "journal") -> Mirror:
    choices = {axis.name: axis.labels for axis in space.axes}
    return Mirror(url, folder, name="copy", directions=DIRECTIONS, choices=choices)


def pruned(trial: int, labels: Mapping[str, str]) -> Observation:
    return Observation(trial=trial, state=State.PRUNED, labels=labels, constraints={"macs": 0.5})


def complete(trial: int, labels: Mapping[str, str], value: float = 1.0) -> Observation:
    return Observation(
        trial=trial, state=State.COMPLETE, labels=labels, values=(value, 2.0), constraints={"macs": -0.5}
    )


def stored(folder: Path) -> list[optuna.trial.FrozenTrial]:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL_FILE))
    return optuna.load_study(study_name="copy", storage=optuna.storages.JournalStorage(backend)).trials


def observations(space: Space, number: int) -> list[Observation]:
    asked = searcher(space)
    return [
        complete(i, asked.ask(space).labels) if i % 3 == 0 else pruned(i, asked.ask(space).labels)
        for i in range(number)
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_proposes_designs_of_the_space_and_learns(sampler: str, space: Space) -> None:
    asked = searcher(space, sampler)
    for trial in range(14):
        proposal = asked.ask(space)
        assert space.candidate(proposal.labels) == proposal.candidate
        asked.constrain(proposal, {"macs": -0.5})
        asked.tell(proposal, complete(trial, proposal.labels, value=float(trial)))


def test_an_unknown_sampler_is_refused(space: Space) -> None:
    with pytest.raises(StudyError, match="did you mean 'nsga2'"):
        searcher(space, "nsga-2")


def test_the_same_seed_gives_the_same_proposals(space: Space) -> None:
    first, second = searcher(space, "tpe", seed=5), searcher(space, "tpe", seed=5)
    assert [first.ask(space).labels for _ in range(5)] == [second.ask(space).labels for _ in range(5)]


def test_given_labels_are_proposed(space: Space) -> None:
    labels = space.labels_of(space.base)
    assert labels is not None
    assert searcher(space, "tpe").ask(space, labels).candidate == space.base


def test_tpe_turns_away_from_what_exceeds_a_limit(space: Space) -> None:
    asked = searcher(space, "tpe")
    late = []
    for trial in range(120):
        proposal = asked.ask(space)
        wide = int(proposal.labels["width"]) > 128
        asked.constrain(proposal, {"macs": 1.0 if wide else -1.0})
        observation = pruned(trial, proposal.labels) if wide else complete(trial, proposal.labels)
        asked.tell(proposal, observation)
        late.append(wide)
    # Six of the nine widths are above 128: chance alone would refuse 66 % of the last 60.
    assert sum(late[60:]) / 60 < 0.4


def test_an_open_proposal_survives_the_short_memory(space: Space) -> None:
    asked = searcher(space)
    kept = asked.ask(space)
    asked.constrain(kept, {"macs": -0.5})
    for trial in range(1, 3 * PRUNED_KEPT):
        other = asked.ask(space)
        asked.constrain(other, {"macs": 0.5})
        asked.tell(other, pruned(trial, other.labels))
    asked.tell(kept, complete(0, kept.labels))
    best = asked._study.best_trials
    assert [trial.params for trial in best] == [dict(kept.labels)]


def test_the_memory_stays_short(space: Space) -> None:
    asked = searcher(space)
    for trial in range(5 * PRUNED_KEPT):
        proposal = asked.ask(space)
        asked.tell(proposal, pruned(trial, proposal.labels))
    assert len(asked._study.trials) <= 2 * PRUNED_KEPT


def test_a_forgotten_proposal_is_no_history(space: Space) -> None:
    asked = searcher(space)
    asked.forget(asked.ask(space))
    states = [trial.state for trial in asked._study.trials]
    assert states == [optuna.trial.TrialState.FAIL]


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_a_genetic_sampler_continues_in_the_generation_where_it_stood(sampler: str, space: Space) -> None:
    asked, restored = searcher(space, sampler), searcher(space, sampler)
    history = []
    for trial in range(25):
        proposal = asked.ask(space)
        asked.tell(proposal, complete(trial, proposal.labels, value=float(trial)))
        history.append(complete(trial, proposal.labels, value=float(trial)))
    restored.restore(history)
    assert _next_generation(asked, asked.ask(space)) == _next_generation(restored, restored.ask(space)) == 2


def _next_generation(asked: Searcher, proposal: Proposal) -> int:
    """Populations are of 10, so that trials 0 to 9 are generation 0."""
    attributes = asked._study.trials[asked._open[proposal.serial].number].system_attrs
    return next(int(value) for name, value in attributes.items() if name.endswith(":generation"))


def test_the_copy_holds_every_observation(tmp_path: Path, space: Space) -> None:
    history = observations(space, 6)
    mirror(tmp_path, space).add(history)
    found = stored(tmp_path)
    assert [trial.params for trial in found] == [dict(item.labels) for item in history]
    assert [trial.constraints for trial in found] == [item.constraints for item in history]
    assert found[0].values == [1.0, 2.0]


def test_a_copy_that_lost_trials_is_completed(tmp_path: Path, space: Space) -> None:
    history = observations(space, 6)
    mirror(tmp_path, space).add(history[:4])
    assert mirror(tmp_path, space).reconcile(history) == 2
    assert [trial.user_attrs["trial"] for trial in stored(tmp_path)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("spoilt", ["twice", "running", "foreign"])
def test_a_copy_with_other_trials_is_written_anew(spoilt: str, tmp_path: Path, space: Space) -> None:
    history = observations(space, 4)
    copy = mirror(tmp_path, space)
    copy.add(history)
    if spoilt == "twice":
        copy.add(history[:1])
    elif spoilt == "running":
        copy._study.ask()
    else:
        copy.add([pruned(99, history[0].labels)])
    assert mirror(tmp_path, space).reconcile(history) == 4
    assert [trial.user_attrs["trial"] for trial in stored(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("damage", [b'{"op_code": 4', b"no json\n"])
def test_a_damaged_journal_is_made_again_from_the_records(damage: bytes, tmp_path: Path, space: Space) -> None:
    history = observations(space, 4)
    mirror(tmp_path, space).add(history)
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        # Optuna forgives a broken last line only until something is written after it.
        file.write(damage + (json.dumps({}).encode() + b"\n" if damage.endswith(b"\n") else b""))
    mirror(tmp_path, space).reconcile(history)
    assert len(stored(tmp_path)) == 4


def test_a_database_holds_the_copy_too(tmp_path: Path, space: Space) -> None:
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    mirror(tmp_path, space, url).add(observations(space, 3))
    study = optuna.load_study(study_name="copy", storage=url)
    assert len(study.trials) == 3
    # SQLAlchemy closes its pooled connection only when told to, and Python warns of what is left open.
    study._storage._backend.engine.dispose()  # type: ignore[attr-defined]


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
        mirror(tmp_path, space, url)
    assert time.monotonic() - began < 8
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_refused_without_its_password(tmp_path: Path, space: Space) -> None:
    with pytest.raises(StudyError, match="storage must be 'journal' or a URL") as caught:
        mirror(tmp_path, space, "postgresql+psycopg://me:secret@127.0.0.1:notaport/study")
    assert "secret" not in str(caught.value)
