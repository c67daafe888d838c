"""Tables of settings: every mistake of a table is said at once, with the nearest name and what is accepted."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field

import pytest
from jsonschema import Draft4Validator

from topformer.bounds import COUNT, NAME, POSITIVE, SEED
from topformer.errors import DataError, InputError, StudyError
from topformer.kinds import (
    Anything,
    Between,
    Choice,
    Entries,
    Fits,
    Flag,
    Integer,
    Kind,
    Names,
    Number,
    Odd,
    OneOf,
    Text,
    is_integer,
    is_number,
)
from topformer.schema import Section, Sections, check, json_schema, key, keys, read, table_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A part of a bicycle."""

    inches: int = field(metadata=key(COUNT, "Diameter."))
    spokes: int = field(default=32, metadata=key(COUNT, "Number of spokes."))

    def __post_init__(self) -> None:
        if self.spokes > 2 * self.inches:
            raise StudyError(f"spokes must be at most twice the inches, got {self.spokes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bicycle:
    """A bicycle, and a field that is no key."""

    name: str = field(metadata=key(NAME, "Its name."))
    colour: str = field(default="red", metadata=key(Choice(["red", "green", "blue"]), "Its colour."))
    front: Wheel = field(metadata=key(Section(Wheel), "The front wheel."))
    spare: tuple[Wheel, ...] = field(default=(), metadata=key(Sections(Wheel, "wheel"), "More wheels."))
    gears: tuple[str, ...] = field(default=("one",), metadata=key(Names(), "Their names."))
    prices: Mapping[str, float] = field(default_factory=dict, metadata=key(Entries(POSITIVE), "By year."))
    ridden: int = 0


GOOD = {"name": "mine", "front": {"inches": 28}}


def complaint(values: object) -> str:
    with pytest.raises(StudyError) as caught:
        read(Bicycle, values, whole="a bicycle")
    return str(caught.value)


def test_absent_keys_take_the_defaults_of_the_definition() -> None:
    found = read(Bicycle, GOOD)
    assert found == Bicycle(name="mine", front=Wheel(inches=28, spokes=32))


def test_nested_tables_and_lists_become_their_dataclasses() -> None:
    found = read(Bicycle, {**GOOD, "spare": [{"inches": 20}], "gears": ["low", "high"], "prices": {"2026": 99}})
    assert found.spare == (Wheel(inches=20),)
    assert found.gears == ("low", "high")
    assert found.prices == {"2026": 99}


def test_a_single_mistake_is_one_sentence() -> None:
    assert complaint({**GOOD, "color": "red"}).startswith("unknown key of a bicycle 'color'; did you mean 'colour'?")
    assert complaint({"name": "x"}) == "front is missing"
    assert complaint({**GOOD, "front": {"inches": True}}) == "front.inches must be an integer of at least 1, got True"
    assert complaint({**GOOD, "spare": [{"inches": 1}, 3]}) == (
        "2 mistakes:\n  spokes must be at most twice the inches, got 32\n  wheels[2] must be a table, got 3"
    )


def test_all_mistakes_of_a_file_are_listed_a_line_each() -> None:
    lines = complaint({"colour": "rad", "front": {"inch": 28}, "gears": []}).splitlines()
    assert lines == [
        "4 mistakes:",
        "  unknown colour 'rad'; did you mean 'red'? accepted: red, green, blue",
        "  unknown key of front 'inch'; did you mean 'inches'? accepted: inches, spokes",
        "  gears must be a non-empty list of strings, got []",
        "  name is missing",
    ]


def test_the_definition_itself_speaks_when_every_key_is_right() -> None:
    assert complaint({**GOOD, "front": {"inches": 10}}) == "spokes must be at most twice the inches, got 32"


def test_another_error_can_be_asked_for() -> None:
    with pytest.raises(DataError, match="must be a table, got 3"):
        read(Bicycle, 3, error=DataError)


def test_definitions_can_be_read_as_a_table_of_keys() -> None:
    declared = {name: (item.default is MISSING, item.metadata["meaning"]) for name, item, _ in keys(Wheel)}
    assert declared == {"inches": (True, "Diameter."), "spokes": (False, "Number of spokes.")}
    assert "ridden" not in [name for name, _, _ in keys(Bicycle)]


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "words"),
    [
        (Integer(2), 2, True, "an integer of at least 2, got True"),
        (Integer(2), 3, 1, "an integer of at least 2, got 1"),
        (Integer(1, 1000), 1000, 1001, "at most 1,000, got 1001"),
        (SEED, 2**32 - 1, 2**32, "an integer from 0 to 4294967295, got 4294967296"),
        (Odd(9), 9, 4, "odd, got 4"),
        (Odd(9), 1, 11, "at most 9, got 11"),
        (Number("a share", 0, 1), 0.5, 1.5, "a share, got 1.5"),
        (Number("a share", 0, 1), 1, False, "a share, got False"),
        (POSITIVE, 1e-9, float("inf"), "a finite number above 0, got inf"),
        (POSITIVE, 3, 0, "a finite number above 0, got 0"),
        (Between(0, 1), 0.5, 1, "between 0 and 1, both excluded, got 1"),
        (Flag(), False, 0, "true or false, got 0"),
        (Text(), "a b", " ", "a non-empty string, got ' '"),
        (Text(), "a", "a\x1b[31m", r"without control characters, got 'a\x1b[31m'"),
        (Text(), "a", "a\nb", r"without control characters, got 'a\nb'"),
        (OneOf((1, 2)), 2, True, "one of 1, 2, got True"),
        (Names(may_be_empty=True), [], "a", "a list of strings, got 'a'"),
        (Names(), ["a"], ["a", "a"], "without repetitions, got ['a', 'a']"),
        (Names(("a", "b"), "letter"), ["b"], ["c"], "unknown letter 'c'"),
        (Anything(table=True), {}, [], "a table, got []"),
        (Fits("even", lambda value: value == 2), 2, 3, "even, got 3"),
        (NAME, "TopFormer 2.1", "../up", "at most 100 letters"),
        (NAME, "x", "/etc/passwd", "at most 100 letters"),
        (NAME, "x", "a.", "at most 100 letters"),
        (NAME, "x", "x" * 101, "at most 100 letters"),
    ],
)
def test_each_kind_says_what_it_accepts(kind: Kind, right: object, wrong: object, words: str) -> None:
    check("k", right, kind)
    with pytest.raises(InputError) as caught:
        check("k", wrong, kind)
    assert words in str(caught.value)
    editor = Draft4Validator(kind.json_schema())
    assert editor.is_valid(right)
    # What a function decides, no schema can say.
    assert editor.is_valid(wrong) == isinstance(kind, Fits)


def test_the_schema_of_a_table_says_its_keys_their_meanings_and_defaults() -> None:
    found = json_schema(Bicycle)
    Draft4Validator.check_schema(found)
    assert found["required"] == ["name", "front"]
    assert list(found["properties"]) == [name for name, _, _ in keys(Bicycle)]
    assert found["properties"]["front"]["properties"]["spokes"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10**9,
        "description": "Number of spokes.",
        "default": 32,
    }
    assert found["properties"]["gears"]["default"] == ["one"]
    spokes = Section(Wheel, short="inches").json_schema()
    assert [Draft4Validator(spokes).is_valid(value) for value in (28, {"inches": 28}, "28", {"inches": 0})] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    "values",
    [
        GOOD,
        {**GOOD, "spare": [{"inches": 20}], "prices": {"2026": 99}},
        {**GOOD, "spare": [{}]},
        {**GOOD, "prices": {"2026": -1}},
        {**GOOD, "color": "red"},
        {**GOOD, "front": {"inches": 1, "hub": 2}},
        {**GOOD, "name": "x\n"},
        {"front": {"inches": 1}},
        [],
    ],
    ids=str,
)
def test_an_editor_and_the_reader_agree(values: object) -> None:
    assert Draft4Validator(json_schema(Bicycle)).is_valid(values) == (not table_problems(Bicycle, values))


def test_true_is_no_number() -> None:
    assert not is_integer(True)
    assert not is_number(False)
    assert is_number(3)
    assert not is_number(float("nan"))


def test_hostile_values_are_shown_short() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(complaint({**GOOD, "colour": deep})) < 200
    assert "an integer of 40,001 bits" in complaint({**GOOD, "front": {"inches": 2**40_000}})
    assert len(complaint({**GOOD, "x" * 100_000: 1})) < 400
