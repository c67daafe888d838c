"""What commands write: never over what is not theirs, and what they are asked is what they answer."""

from pathlib import Path

import pytest

from experiments.cli import main
from tests.experiments_tests.cli.test_cli import refused, run

NANO = ("--base", "nano", "--size", "64")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["latency", "nano", "--size", "64", "--figure"], "own.svg"),
        (["latency", "nano", "--size", "64", "--figure"], "own.png"),
        (["replay", "--samplers", "random", "--seeds", "1", "--trials", "2", "--plot"], "own.svg"),
        (["enumerate", "paper", *NANO, "--limit", "2", "--csv"], "own.csv"),
        (["draw", "tiny", "--out"], "own.svg"),
        (["compare", "tiny", "nano", "--drawing"], "own.svg"),
    ],
    ids=lambda case: case if isinstance(case, str) else case[0],
)
def test_a_file_of_the_users_own_is_not_written_over(
    command: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / name
    own.write_bytes(b"my,own\n")
    assert f"{own} is there already and no " in refused(capsys, *command, own)
    assert own.read_bytes() == b"my,own\n"
    made = tmp_path / f"made{own.suffix}"
    for _ in range(2):
        assert main([*command, str(made)]) == 0
    assert made.stat().st_size > 100


@pytest.mark.parametrize("name", ["figure.pdf", "figure", "figure.csv"])
def test_a_figure_has_an_ending_that_is_known_before_it_is_worked_out(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["latency", "nano", "--figure"], ["replay", "--samplers", "random", "--plot"]):
        assert "a figure must be a file that ends in .svg or .png" in refused(capsys, *command, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_list_of_the_designs_within_a_limit_looks_at_all_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ([], ["--json"], ["--csv", tmp_path / "x.csv"], ["--sort", "macs"]):
        told = refused(capsys, "enumerate", "paper", *NANO, "--max-latency-ms", "0.0001", *form)
        assert "no design takes at most 0.0001 ms; the fastest is predicted to take 0.60 ms" in told
    assert not list(tmp_path.iterdir())
    _, out, err = run(capsys, "enumerate", "paper", *NANO, "--max-latency-ms", "0.65", "--limit", "3")
    assert err.startswith("3 of 180 that take at most 0.65 ms, of 70,848 designs of paper")
    assert len(out.splitlines()) == 4


def test_every_axis_has_its_column_in_every_list(tmp_path: Path) -> None:
    assert main(["enumerate", "paper", *NANO, "--sample", "1", "--limit", "0", "--max-ms", "0.001", "--csv",
                 str(tmp_path / "x.csv")]) == 0  # fmt: skip
    columns = (tmp_path / "x.csv").read_text().strip().split(",")
    assert columns[:3] == ["fingerprint", "parameters", "macs"]
    assert columns[-8:] == ["pooled", "injected", "width", "depth", "heads", "pool_stride", "head", "design"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("enumerate paper --descending", "--descending says the order of --sort, got none"),
        ("enumerate paper --csv x.csv --json", "--csv and --json are two forms of one list"),
        ("enumerate paper --count --max-ms 2", "--summary counts the designs within it"),
        ("compare tiny nano --consider 5", "--consider says nothing of two designs, got 5 for tiny, nano"),
        ("compare tiny nano --run x", "--run says nothing of two designs"),
        ("compare tiny nano --by macs", "--by says nothing of two designs, got macs"),
        ("compare snapdragon-855 snapdragon-865 --run x --space full", "--space says nothing of a run, got full"),
        ("compare snapdragon-855 snapdragon-865 --run nowhere", "there is no run 'nowhere'"),
        ("compare snapdragon-855 snapdragon-865 --device raspberry-pi-4", "--device says nothing of two devices"),
        ("replay --samplers ,", "a replay needs the name of at least one sampler, got none"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(capsys, *line.split())
