"""Schemas for editors say what the readers of the files say: on what ships, and on every key with every wrong value."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from experiments.ablations.definition import read_table, table_names
from experiments.cli import main
from experiments.cli.schema import FILES, schema_text
from experiments.search.definition import from_mapping
from search_space.latency.devices import FOLDER, devices
from tests import ROOT
from topformer.errors import InputError
from topformer.files import read_toml
from topformer.schema import table_problems

STUDY = read_toml(ROOT / "experiments" / "studies" / "nano-tokenworld.toml")
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "study": [
        STUDY,
        {
            **STUDY,
            "anchors": ["small"],
            "storage": "sqlite:///a.db",
            "space": {**STUDY["space"], "only": {"injected": ["8+16+32"]}},
        },
    ],
    "table": [read_toml(ROOT / "experiments" / "tables" / f"{name}.toml") for name in table_names()],
    "device": [read_toml(Path(str(FOLDER / name / "device.toml"))) for name in devices()],
    "dataset": [
        {},
        {"name": "street", "classes": ["road", "car"], "ignore": 255, "groups": {"flat": ["road"]}},
        {"classes": 19, "palette": [[0, 0, 255]] * 19},
    ],
}
WRONG: tuple[Any, ...] = (
    0,
    -1,
    1,
    2.5,
    1e400,
    True,
    "",
    " ",
    "x",
    "two\nlines",
    "a/b",
    "miss\u200bpelt",
    [],
    ["x", "x"],
    [""],
    {},
    {"x": 1},
)


def validator(name: str) -> Draft4Validator:
    schema = json.loads(schema_text(name))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema)


@pytest.mark.parametrize("name", FILES)
def test_what_ships_is_accepted(name: str) -> None:
    editor = validator(name)
    for sample in SAMPLES[name]:
        assert [error.message for error in editor.iter_errors(sample)] == []
        assert table_problems(FILES[name].load(), sample) == []


@pytest.mark.parametrize("name", FILES)
def test_editor_and_reader_refuse_the_same_values_of_every_key(name: str) -> None:
    editor, definition, refused = validator(name), FILES[name].load(), 0
    for values in changed(SAMPLES[name][-1]):
        found = table_problems(definition, values)
        if editor.is_valid(values):
            # What several keys say together is the reader's.
            assert not found or contradiction(found), (values, found)
        else:
            assert found, values
            refused += 1
    assert refused > 20


def changed(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sample with one value replaced, taken away or misspelt, in it and in the tables inside."""
    for path in paths(sample):
        for value in WRONG:
            values = copy.deepcopy(sample)
            inside(values, path[:-1])[path[-1]] = value
            yield values
        values = copy.deepcopy(sample)
        table = inside(values, path[:-1])
        taken = table.pop(path[-1])
        yield copy.deepcopy(values)
        if isinstance(table, dict):
            table[f"{path[-1]}s"] = taken
            yield values


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*prefix, name)
        yield from paths(inner, (*prefix, name))


def inside(values: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        values = values[name]
    return values


def contradiction(found: list[str]) -> bool:
    words = (
        *("at least trials", "latency is an objective or limited", "must hold", "group", "a colour for each"),
        *("works on a data set", "trains for so long"),
    )
    return len(found) == 1 and any(text in found[0] for text in words)


def test_a_schema_is_written_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "study", "--out", str(tmp_path / "study.json")]) == 0
    assert f"#:schema {tmp_path / 'study.json'}" in capsys.readouterr().out
    assert main(["schema", "study"]) == 0
    assert capsys.readouterr().out == (tmp_path / "study.json").read_text()


@pytest.mark.parametrize(
    "values", [{**STUDY, "trials": 0}, {**STUDY, "spaces": {}}, {"name": "x"}], ids=["0", "s", "x"]
)
def test_the_whole_reader_refuses_what_the_editor_marks(values: dict[str, Any]) -> None:
    assert not validator("study").is_valid(values)
    with pytest.raises(InputError):
        from_mapping(values)


def test_every_shipped_table_that_an_editor_accepts_is_read() -> None:
    for values in SAMPLES["table"]:
        assert read_table(values).id == values["id"]
