"""Tables of kinds: one place from which makers, help and errors come."""

import subprocess
import sys
from collections.abc import Mapping
from inspect import isclass
from types import MappingProxyType

import pytest

from experiments.evaluators import EVALUATORS
from experiments.implementations import Implementation, canonical, listed
from experiments.search.samplers import SAMPLERS
from topformer.errors import InputError, StudyError

TABLE: Mapping[str, Implementation] = MappingProxyType(
    {"fast": Implementation("math:sqrt", "quick"), "slow": Implementation("math:floor", "thorough", aliases=("lazy",))}
)


def test_an_alias_leads_to_its_entry() -> None:
    assert canonical("speed", "fast", TABLE) == "fast"
    assert canonical("speed", "lazy", TABLE) == "slow"
    assert TABLE["slow"].load()(2.5) == 2


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown speed 'fats'; did you mean 'fast'\? accepted: fast, slow"):
        canonical("speed", "fats", TABLE)
    with pytest.raises(StudyError):
        canonical("speed", "fats", TABLE, StudyError)


def test_names_are_listed_as_a_sentence() -> None:
    assert listed(["tpe"]) == "tpe"
    assert listed(["tpe", "nsga2", "random"]) == "tpe, nsga2 or random"


def test_every_sampler_has_its_line_of_help() -> None:
    assert all(kind.help for kind in SAMPLERS.values())


@pytest.mark.parametrize("kind", EVALUATORS.values(), ids=EVALUATORS)
def test_every_evaluator_is_a_class_that_can_be_read(kind: Implementation) -> None:
    made = kind.load()
    assert isclass(made)
    assert {"read", "metric", "evaluate", "describe"} <= set(dir(made))
    assert kind.help


def test_the_tables_load_nothing_heavy() -> None:
    program = (
        "import sys, experiments.search.samplers, experiments.evaluators, experiments.evaluators.definition\n"
        "print(sorted({'torch', 'optuna', 'numpy', 'pandas', 'mmseg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
