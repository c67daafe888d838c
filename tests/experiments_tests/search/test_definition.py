"""Study files: what they mean, and what is said about mistakes in them."""

from pathlib import Path
from typing import Any

import pytest

from experiments.search import shipped as recipes
from experiments.search.definition import from_mapping
from tests import ROOT
from tests.experiments_tests.search.stand_in import definition
from topformer.errors import SpaceError, StudyError

VALUES: dict[str, Any] = {
    "name": "a study",
    "objectives": ["accuracy", "macs"],
    "trials": 7,
    "space": {"name": "paper", "base": "nano", "height": 128, "width": 96, "only": {"depth": ["1", "2"]}},
    "evaluator": {"kind": "mmseg", "data": "some/folder", "budget": 90},
}


def test_absent_keys_take_the_documented_defaults() -> None:
    study = from_mapping(VALUES)
    assert (study.sampler, study.seed, study.workers.count, study.storage) == ("ehvi", 0, 1, "journal")
    assert (study.asked, study.consider, study.limits.alpha) == (10_000, 2000, 0.05)


def test_the_sampler_grid_is_called_exhaustive() -> None:
    assert from_mapping({**VALUES, "sampler": "grid"}) == from_mapping({**VALUES, "sampler": "exhaustive"})


def test_a_restriction_leaves_these_labels_alone() -> None:
    space = from_mapping(VALUES).space.build()
    assert space.axis("depth").labels == ("1", "2")
    assert (space.base.height, space.base.width) == (128, 96)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trails": 3}, "unknown key of a study 'trails'; did you mean 'trials'?"),
        (
            {"sampler": "tpee"},
            "unknown sampler 'tpee'; did you mean 'tpe'? accepted: ehvi, tpe, nsga2, nsga3, gp, random",
        ),
        ({"objectives": ["accuracy", "latency"]}, "unknown objectives.name 'latency'; did you mean 'latency_ms'?"),
        ({"objectives": ["macs"]}, "objectives must hold 'accuracy', got ['macs']"),
        ({"objectives": ["accuracy", "accuracy"]}, "objectives must be a list without repetitions"),
        ({"objectives": ["accuracy", "latency_ms"]}, "device is missing: latency is an objective or limited"),
        ({"trials": 0}, "trials must be an integer of at least 1, got 0"),
        ({"trials": True}, "trials must be an integer of at least 1, got True"),
        ({"trials": "7"}, "trials must be an integer of at least 1, got '7'"),
        ({"asked": 6}, "asked must be at least trials (7), got 6"),
        ({"limits": {"macs": -1}}, "limits.macs must be a finite number above 0, got -1"),
        ({"limits": {"alpha": 1}}, "limits.alpha must be a number between 0 and 1, both excluded, got 1"),
        ({"limits": {"latency": 3}}, "unknown key of limits 'latency'; did you mean 'latency_ms'?"),
        ({"limits": 3}, "limits must be a table, got 3"),
        ({"storage": "study.db"}, "storage must be 'journal' or a URL such as sqlite:///study.db, got 'study.db'"),
        ({"space": {"name": "paper", "base": "nano", "height": 128}}, "space.width is missing"),
        ({"space": {**VALUES["space"], "only": {"depth": []}}}, "space.only.depth must be a non-empty list of strings"),
        ({"evaluator": {"kind": "lean", "data": "x", "budget": 1, "tokenworld": {}}}, "applies to data = 'tokenworld'"),
        (
            {"evaluator": {"kind": "lan", "data": "x", "budget": 1}},
            "unknown evaluator.kind 'lan'; did you mean 'lean'?",
        ),
    ],
)
def test_a_mistake_is_named_with_the_value_and_what_is_accepted(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        from_mapping(VALUES | change)
    assert message in str(caught.value)


def test_an_axis_that_does_not_exist_is_named_when_the_space_is_built() -> None:
    study = from_mapping(VALUES | {"space": {**VALUES["space"], "only": {"dept": ["1"]}}})
    with pytest.raises(SpaceError, match="did you mean 'depth'"):
        study.space.build()


def test_unreadable_toml_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('name = "x"\ntrials = = 3\n')
    with pytest.raises(StudyError, match=r"^[^:]*broken\.toml is not TOML: .*line 2"):
        recipes.study(str(path))


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "typo.toml"
    path.write_text((ROOT / "experiments/studies/nano-tokenworld.toml").read_text().replace("name =", "nam =", 1))
    with pytest.raises(StudyError, match=r"typo\.toml: unknown key of a study 'nam'; did you mean 'name'\?"):
        recipes.study(str(path))


def test_all_mistakes_of_a_file_are_said_at_once() -> None:
    space = {"name": "paper", "base": "nano", "hight": 128, "width": True}
    with pytest.raises(StudyError) as caught:
        from_mapping(VALUES | {"space": space, "seed": 2**32, "trails": 9})
    assert str(caught.value).splitlines()[:4] == [
        "4 mistakes:",
        "  unknown key of space 'hight'; did you mean 'height'? accepted: name, base, height, width, only",
        "  space.width must be an integer of at least 32 pixels, got True",
        "  seed must be an integer from 0 to 4294967295, got 4294967296",
    ]


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", "..", "a\nb", "a\x1b[31m", "", "a."])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="name must be"):
        from_mapping(VALUES | {"name": name})


def test_a_storage_without_a_scheme_is_shown_without_its_password() -> None:
    with pytest.raises(StudyError) as caught:
        from_mapping(VALUES | {"storage": "me:secret@host/studies"})
    assert str(caught.value).endswith("got '***@host/studies'")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="No such file"):
        recipes.study(str(tmp_path / "absent.toml"))


def test_an_unknown_study_name_offers_the_nearest() -> None:
    with pytest.raises(StudyError, match=r"^unknown study 'nano-tokenwrld'; did you mean 'nano-tokenworld'"):
        recipes.study("nano-tokenwrld")


@pytest.mark.parametrize("name", recipes.names())
def test_every_packaged_study_can_be_built(name: str) -> None:
    study = recipes.study(name)
    assert study.space.build().count() >= study.trials
    assert study.name == name


def test_the_embedded_sweep_considers_a_thousand_designs_and_trains_a_dozen() -> None:
    study = recipes.study("nano-tokenworld")
    assert study.consider >= 1000
    assert study.trials >= 12
    assert study.evaluator.budget == 1200


def test_equal_definitions_are_equal() -> None:
    assert definition() == definition()
