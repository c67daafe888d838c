"""Designs by their names: presets, files, and those of runs."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.named_design import file_stem, named_design, run_folder, sized_design
from analysis.records.record import JsonlStore, to_json
from tests.analysis_tests.examples import record, with_own_design
from topformer import codec
from topformer.errors import DesignError, RecordError
from topformer.presets import NANO, TINY

SIZED = {"height": 96, "width": 128}


def recorded(folder: Path, *changes: dict[str, int]) -> list[str]:
    """A run folder with a record for each of the changes; the fingerprints."""
    folder.mkdir(parents=True)
    records = [with_own_design(record(trial, **sizes)) for trial, sizes in enumerate(changes)]
    JsonlStore(folder / "records.jsonl").append_many(records)
    return [one.fingerprint for one in records]


def test_a_preset_has_no_size_of_its_own() -> None:
    assert sized_design("tiny") == (TINY, None)


def test_the_beginning_of_a_fingerprint_names_a_design_with_its_size(tmp_path: Path) -> None:
    first, second = recorded(tmp_path / "run", {}, SIZED)
    assert sized_design(f"{tmp_path / 'run'}:{second[:6]}") == (replace(NANO, num_classes=3), (96, 128))
    assert named_design(f"{tmp_path / 'run'}:{first}") == replace(NANO, num_classes=2)
    assert named_design(f"{tmp_path / 'run'}:{first[:6].upper()}") == replace(NANO, num_classes=2)


def test_a_run_is_found_below_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (fingerprint,) = recorded(tmp_path / "runs" / "nano", {})
    assert named_design(f"nano:{fingerprint[:5]}") == replace(NANO, num_classes=2)
    assert run_folder("nano") == Path("runs/nano")
    with pytest.raises(DesignError, match=r"there is no run 'nanno': no records.jsonl in nanno or runs/nanno; did you"):
        named_design("nanno:12")


@pytest.mark.parametrize("prefix", ["", "zz", "q"])
def test_what_no_fingerprint_begins_with_is_refused_with_what_there_is(prefix: str, tmp_path: Path) -> None:
    (fingerprint,) = recorded(tmp_path / "run", {})
    with pytest.raises(DesignError, match=f"{prefix!r}.* 1: {fingerprint[:12]}"):
        named_design(f"{tmp_path / 'run'}:{prefix}")


def test_a_beginning_of_several_fingerprints_names_them(tmp_path: Path) -> None:
    fingerprints = recorded(tmp_path / "run", *[{}] * 17)
    initials = [one[0] for one in fingerprints]
    shared = next(letter for letter in initials if initials.count(letter) > 1)
    both = sorted(one[:12] for one in fingerprints if one.startswith(shared))
    with pytest.raises(
        DesignError, match=rf"must name one design, got '{shared}', which fits \d: {both[0]}, {both[1]}"
    ):
        named_design(f"{tmp_path / 'run'}:{shared}")


def test_one_design_at_two_sizes_is_one_design_without_a_size(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (fingerprint,) = recorded(folder, {})
    one = with_own_design(record(0, **SIZED))
    JsonlStore(folder / "records.jsonl").append(replace(one, trial=1))
    assert sized_design(f"{folder}:{fingerprint[:8]}") == (replace(NANO, num_classes=2), None)
    assert sized_design(f"{folder}:{one.fingerprint}").size == (96, 128)


def test_a_record_is_a_design_as_a_file_and_as_it_is(tmp_path: Path) -> None:
    one = with_own_design(record(4, **SIZED))
    text = json.dumps(to_json(one))
    (tmp_path / "one.json").write_text(text)
    design = replace(NANO, num_classes=6)
    assert sized_design(text) == sized_design(str(tmp_path / "one.json")) == (design, (96, 128))
    assert sized_design(json.dumps(codec.to_json(design))) == (design, None)


def test_a_colon_in_the_name_of_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "a:b.json").write_text(json.dumps(codec.to_json(NANO)))
    assert named_design(str(tmp_path / "a:b.json")) == NANO


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"height": "96"}, "height and width of a record must both be integers, got .'96', 128"),
        ({"width": 128.0}, "height and width of a record must both be integers, got .96, 128.0"),
        ({"height": True}, "height and width of a record must both be integers"),
        ({"fingerprint": "000000000000@96x128"}, "fingerprint '000000000000@96x128' of the record is not that of its"),
        ({"fingerprint": 3}, "fingerprint 3 of the record is not that of its design"),
    ],
)
def test_a_record_that_contradicts_itself_is_no_design(change: dict[str, object], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        sized_design(json.dumps(to_json(with_own_design(record(4, **SIZED))) | change))


def test_a_record_without_one_of_its_sides_has_no_size_of_its_own() -> None:
    value = to_json(with_own_design(record(4, **SIZED)))
    del value["width"]
    with pytest.raises(DesignError, match="height and width of a record must both be integers"):
        sized_design(json.dumps(value))


def test_a_record_of_a_run_that_is_not_its_fingerprints_is_not_taken_for_it(tmp_path: Path) -> None:
    JsonlStore(tmp_path / "records.jsonl").append(replace(with_own_design(record(0)), fingerprint="d86f00000000@64x64"))
    with pytest.raises(RecordError, match=r"records\.jsonl, line 1: fingerprint d86f00000000@64x64 is not that of"):
        named_design(f"{tmp_path}:d86f")


def test_records_that_are_no_file_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "records.jsonl")
    with pytest.raises(DesignError, match=r"cannot read the records .*records\.jsonl: it is a pipe"):
        run_folder(str(tmp_path))


def test_a_run_without_a_record_yet_says_so(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(DesignError, match=r"no design is recorded in .* yet"):
        named_design(f"{tmp_path}:d86f")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":d86f", "a run must be named, a folder or one under runs/, got ''"),
        (" :d86f", "a run must be named, a folder or one under runs/, got ' '"),
        ("a\0b:d86f", "a run must be named"),
        ("x" * 300 + ":d86f", "File name too long"),
    ],
)
def test_what_can_be_no_folder_is_named(text: str, said: str) -> None:
    with pytest.raises(DesignError, match=said):
        named_design(text)


@pytest.mark.parametrize("text", ["{", "{}", '{"design": 3}', "[1]", ":", "x:", ":d86f"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(DesignError):
        named_design(text)


def test_what_is_made_of_a_design_has_a_plain_name() -> None:
    assert file_stem("runs/nano:d86f") == "nano-d86f"
    assert file_stem("designs/mine.json") == "mine"
    assert file_stem(json.dumps(codec.to_json(NANO))) == codec.fingerprint(NANO)
