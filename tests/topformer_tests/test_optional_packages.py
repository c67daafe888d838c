"""Optional parts: what they lack, and the lines that install them, against pyproject.toml."""

import json
import tomllib

import pytest

from experiments.cli import main
from tests import ROOT
from topformer.errors import InputError
from topformer.optional_packages import EXTRAS, command, missing

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", EXTRAS)
def test_the_packages_are_those_of_the_project_file(name: str) -> None:
    declared = {item.split(">=")[0] for item in PROJECT["optional-dependencies"][name]}
    alone = {item.split("==")[0] for item in EXTRAS[name].alone}
    assert set(EXTRAS[name].packages) == declared | alone


def test_what_has_old_dependencies_is_installed_without_them() -> None:
    first, second = command("detection").split(" && ")
    assert first == "python -m pip install --no-deps onedl-mmdetection==3.5.1 imaug==0.4.3"
    assert "mmdetection" not in second
    assert "imaug" not in second
    assert "pycocotools" in second


def test_an_extra_that_is_none() -> None:
    with pytest.raises(InputError, match="unknown extra 'detect'; did you mean 'detection'"):
        missing("detect")


def test_doctor_names_every_extra(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    extras = json.loads(capsys.readouterr().out)["extras"]
    assert extras == {name: missing(name) for name in EXTRAS}
    main(["doctor"])
    printed = capsys.readouterr().out
    for name, absent in extras.items():
        line = next(line for line in printed.splitlines() if line.startswith(f"extra {name}"))
        assert line.endswith(command(name) if absent else "installed")
