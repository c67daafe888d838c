"""Completion: a real bash offers commands, options and names; without shtab one line says what installs it."""

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from experiments.cli import COMMANDS, main
from topformer.presets import presets


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", shell])
    assert stop.value.code == 0
    return capsys.readouterr().out


def offered(path: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    program = (
        f"source {path}; COMP_WORDS=(topformer {' '.join(words)} ''); COMP_CWORD={len(words) + 1}; COMP_TYPE=9; "
        "$(complete -p topformer | sed 's/.* -F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_offers_commands_names_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "completion.bash"
    path.write_text(script("bash", capsys))
    assert set(COMMANDS) <= offered(path)
    assert {*presets(), "--size"} <= offered(path, "cost") | {"--size"}
    assert "snapdragon-865" in offered(path, "latency", "base", "--device")
    assert {"upsample", "argmax"} <= offered(path, "latency", "base", "--boundary")
    assert {"list", "check", "convert"} <= offered(path, "data")
    assert {"table-3", "all"} <= offered(path, "ablate")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "measure-next" in script(shell, capsys)


def test_an_unknown_shell_is_answered_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", "bsh"]) == 2
    assert "unknown shell 'bsh'; did you mean 'bash'" in capsys.readouterr().err


def test_without_shtab_one_line_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("topformer.optional_packages.version", absent)
    assert main(["--print-completion", "bash"]) == 2
    error = capsys.readouterr().err
    assert error == "topformer: --print-completion needs shtab: python -m pip install shtab\n"
