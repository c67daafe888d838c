"""The reference of the files that people write, made from their definitions: every key, what it may be, its meaning."""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any

from analysis.reports.text_table import TextTable, markdown
from experiments.cli.schema import FILES
from experiments.evaluators import EVALUATORS
from experiments.evaluators.recipe import RECIPE
from experiments.training.recipes import SCRATCH, Recipe, recipe
from experiments.training.settings import Machine, value_problems
from topformer.kinds import Choice, Entries, Kind, Names
from topformer.schema import Section, Sections, default, is_required, keys

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HEAD = """# Every key of every file

Written by `python -m docs.make.reference`; do not edit.

    topformer schema study --out study.schema.json

writes the same for an editor: with `#:schema ./study.schema.json` as the first line of a study, editors that use
[Taplo](https://taplo.tamasfe.dev) complete its keys, show what they mean and mark what is wrong.

All mistakes of a file are said at once, each with its key, its value and what is accepted.

Examples: [your own data](../examples/own-data.toml),
[a recipe of the release from released weights](../examples/recipe.toml),
[the embedded study](../../experiments/studies/nano-tokenworld.toml), [the paper's tables](../../experiments/tables),
[a table of your own](../examples/table.toml), [a data set](../examples/dataset.json).
"""
TOGETHER = {
    "study": "`objectives` holds `accuracy`; `device` is given where latency is an objective or limited; `asked` is at "
    "least `trials`; `evaluator.data` and `evaluator.budget` are given where the evaluator works on a data set and "
    'trains; `evaluator.tokenworld` goes with `data = "tokenworld"`.',
    "table": "Rows have different labels and are different networks, an edit changes something, and the baseline is a "
    "row with a design.",
    "dataset": "A palette has a colour for each class, and groups name classes.",
}
"""What no single key says, by file."""
COLUMNS = ("key", "what it may be", "default", "meaning")
OF_ONE = {
    "recipe": ("a recipe of `topformer train --recipe`", RECIPE, "The training."),
    "checkpoints": (
        "a table",
        "",
        "Model of the release (tiny, small, base) to the file whose weights its kin start from.",
    ),
    "skip_classifier": (
        "true or false",
        "false",
        "Whether the classifier starts anew, as for checkpoints of a data set with other classes.",
    ),
    "start": (
        "a folder or a file",
        "",
        "Folder of a supernet, or file of weights, that trainings start from; from nothing without it.",
    ),
    "start_design": ("a design", "", "For a file, the preset or JSON file of the design that it belongs to."),
    "schedule": (
        "an integer of at least 1",
        "",
        "Iterations of a whole training of which `budget` is the first part, from which a longer budget goes on. By "
        "default a budget is a whole.",
    ),
    "cache": ("a folder", "", "Where the decoded data set is kept; in memory without one."),
}
"""Settings of one evaluator that are neither numbers of a recipe nor names."""


def files_page() -> str:
    """The page."""
    parts = [HEAD]
    for name, entry in FILES.items():
        parts += [f"\n## {name.capitalize()}\n\n{entry.help} {TOGETHER.get(name, '')}".rstrip(), "\n"]
        parts += _tables(entry.load(), "")
        if name == "study":
            parts += _settings()
    return "".join(parts)


def _tables(definition: "type[DataclassInstance]", path: str) -> Iterator[str]:
    """The keys of a table, then of those inside it."""
    inner = []
    for name, _, kind in keys(definition):
        below = kind.values if isinstance(kind, Entries) else kind
        if isinstance(below, (Section, Sections)):
            brackets = "[[{}]]" if isinstance(below, Sections) else "[{}]"
            inside = f"{path}{name}.NAME" if isinstance(kind, Entries) else f"{path}{name}"
            inner.append((below.definition, inside, brackets))
    yield f"\n{_table(_rows(definition))}"
    for below_definition, inside, brackets in inner:
        yield f"\n### `{brackets.format(inside)}`\n\n{inspect.getdoc(below_definition)}\n"
        yield from _tables(below_definition, f"{inside}.")


def _rows(definition: "type[DataclassInstance]") -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", accepted(kind), _default(item), item.metadata["meaning"]) for name, item, kind in keys(definition)
    ]


def accepted(kind: Kind) -> str:
    """What a kind of value may be, in the words of the reader's own messages."""
    if isinstance(kind, Choice):
        return ", ".join(f"`{name}`" for name in kind.accepted())
    if isinstance(kind, Names) and kind.accepted is not None:
        return f"a list of {', '.join(f'`{name}`' for name in kind.accepted)}"
    if isinstance(kind, Entries):
        return f"a table; each value {accepted(kind.values)}"
    return kind.problems("it", object())[0].partition("it must be ")[2].partition(", got ")[0] or "anything"


def _settings() -> Iterator[str]:
    """The settings of each evaluator, which its own reader checks."""
    meanings = {**_attributes(Recipe), **_attributes(Machine)}
    for kind, entry in EVALUATORS.items():
        evaluator = entry.load()
        heading = f"\n### `[evaluator.settings]` of `{kind}`\n\n{entry.help[0].upper()}{entry.help[1:]}.\n"
        if hasattr(evaluator, "definition"):
            yield heading
            yield from _tables(evaluator.definition, "evaluator.settings.")
            continue
        preset = recipe(RECIPE) if kind == "recipe" else SCRATCH
        values = {item.name: getattr(preset, item.name) for item in fields(preset)} | {
            item.name: item.default for item in fields(Machine)
        }
        rows = [(f"`{name}`", *_setting(name, values, meanings)) for name in evaluator.settings]
        yield f"{heading}\n{_table(rows)}"


def _setting(name: str, values: dict[str, Any], meanings: dict[str, str]) -> tuple[str, str, str]:
    if name in OF_ONE:
        return OF_ONE[name]
    # A text is refused with the names that are accepted, or with what else the value may be.
    problems = [*value_problems(Recipe, {name: "?"}), *value_problems(Machine, {name: "?"})]
    # A folder may have any name.
    said = problems[0] if problems else "a non-empty string"
    words = re.split(r" must be |accepted: ", said, maxsplit=1)[-1].partition(", got ")[0]
    return words, _shown(values[name]), meanings[name]


def _default(item: Field[Any]) -> str:
    if is_required(item):
        return "must be given"
    return _shown(default(item)) or "none"


def _attributes(definition: type) -> dict[str, str]:
    """What a docstring says of each attribute."""
    text = (inspect.getdoc(definition) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def _shown(value: object) -> str:
    return "" if value in (None, "", [], {}) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    return markdown(TextTable.of("", COLUMNS, rows, left=COLUMNS[1:]))
