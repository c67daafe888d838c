"""What holds for the whole repository: where packages load from, what a light command may import."""

import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import pytest

from experiments.cli import parser
from tests import ROOT

PACKAGES = ("topformer", "search_space", "analysis", "experiments")
HEAVY = ("torch", "optuna", "mmseg", "mmcv", "mmengine", "fvcore", "thop", "pandas", "matplotlib")
LIGHT_COMMANDS = (
    ["--help"],
    ["cost", "base", "--size", "512"],
    ["latency", "base", "--device", "snapdragon-865", "--size", "512"],
    ["enumerate", "paper", "--base", "nano", "--size", "128", "--limit", "5"],
    ["pareto", "does-not-exist"],
    ["sweep", "--help"],
    ["data", "--help"],
)


@pytest.mark.parametrize("package", PACKAGES)
def test_generic_package_names_load_from_this_repository(package: str) -> None:
    assert Path(import_module(package).__file__ or "").resolve().parent == ROOT / package


@pytest.mark.parametrize("command", LIGHT_COMMANDS, ids=" ".join)
def test_light_commands_import_nothing_heavy(command: list[str]) -> None:
    program = (
        "import sys\nfrom experiments.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_every_name_of_topformer_loads() -> None:
    package = import_module("topformer")
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_an_unknown_name_of_topformer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TINNY'"):
        _ = import_module("topformer").TINNY


def test_sources_are_ascii_and_short() -> None:
    sources = [path for package in (*PACKAGES, "tests", "benchmarks") for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 20
    too_long = {str(path): n for path in sources if (n := len(path.read_text("ascii").splitlines())) > 350}
    assert too_long == {}


def test_the_python_example_of_the_readme_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[0]
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert f"# {printed[0]}\n" in code
    assert "ms on snapdragon-865" in printed[1]


def test_every_command_line_of_the_readme_and_the_docs_parses() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    lines = [
        line for page in pages for line in re.findall(r"^ {4}topformer (\S.*)$", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(lines) >= 7
    for line in lines:
        # Such as --help end the program, with status 0.
        words = shlex.split(line, comments=True)
        with pytest.raises(SystemExit, match=r"^0$") if words[0].startswith("--") else nullcontext():
            parser().parse_args(words)
