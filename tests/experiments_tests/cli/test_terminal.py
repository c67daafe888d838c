"""What a long command says where nobody watches a bar."""

import pytest

from experiments.cli.terminal import LINE_SECONDS, bar


def test_off_a_terminal_the_steps_are_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with bar("iterations") as progress:
        for done in range(1, 2501):
            clock[0] = done * LINE_SECONDS / 1000
            progress(done, 2500)
    with bar("iterations", hidden=True) as progress:
        clock[0] += 2 * LINE_SECONDS
        progress(1, 2)
    assert capsys.readouterr().err.splitlines() == ["iterations: 1,000 of 2,500", "iterations: 2,000 of 2,500"]
