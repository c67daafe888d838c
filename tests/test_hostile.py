"""Damaged files and command lines: one message, a status that says so, and nothing written where it does not belong.

Every case is a working input with one to three seeded mutations; a case that still works is as good as one refused.
"""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from experiments.cli import main
from experiments.measure.rows import append_row
from tests import ROOT
from tests.experiments_tests.measure.examples import row
from topformer.codec import to_json
from topformer.presets import NANO, SMALL, TINY

SECONDS = 60
"""A case that takes longer hangs: on a quiet machine the longest takes about one second."""

VALUES = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e400",
    "99999999999999999999",
    "1_000",
    "0x10",
    "true",
    "null",
    "[]",
    "{}",
    "''",
    '""',
    '"../../escaped"',
    '"/abs"',
    '"\\u001b[31m"',
    '"a\\nb"',
    '"<script>"',
    '"=cmd"',
    "1970-01-01",
    "2**63",
]
BYTES = (
    b"\xef\xbb\xbf",
    b"\x00",
    b"\xff\xfe",
    b"\n",
    b"[",
    b"]",
    b"{",
    b'"',
    b"=",
    b",",
    b"#",
    b"\x1b[0m",
    b"9" * 5000,
)

STUDY = (ROOT / "experiments/studies/nano-tokenworld.toml").read_bytes().replace(b"consider = 2000", b"consider = 20")
TABLE = (ROOT / "experiments/tables/table-3.toml").read_bytes()
DESIGN = json.dumps(to_json(NANO), indent=1).encode()
DEVICE = ROOT / "search_space/latency/devices/raspberry-pi-4"


def mutated(text: bytes, random: Random) -> bytes:
    """The text with one to three changes."""
    for _ in range(random.randint(1, 3)):
        text = random.choice((flipped, cut, injected, replaced_value, without_line, doubled_line))(text, random)
    return text


def flipped(text: bytes, random: Random) -> bytes:
    place = random.randrange(len(text) or 1)
    return text[:place] + bytes([random.randrange(256)]) + text[place + 1 :]


def cut(text: bytes, random: Random) -> bytes:
    return text[: random.randrange(len(text) + 1)]


def injected(text: bytes, random: Random) -> bytes:
    place = random.choice((0, random.randrange(len(text) + 1)))
    return text[:place] + random.choice(BYTES) + text[place:]


def replaced_value(text: bytes, random: Random) -> bytes:
    """Another value behind an equals sign, a colon or a comma."""
    places = [place + 1 for place, byte in enumerate(text) if byte in b"=:,"]
    if not places:
        return text
    start = random.choice(places)
    ends = [end for mark in (b",", b"\n", b"}") if (end := text.find(mark, start)) >= 0]
    return text[:start] + random.choice(VALUES).encode() + text[min(ends, default=len(text)) :]


def without_line(text: bytes, random: Random) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if line is not random.choice(lines)) if lines else text


def doubled_line(text: bytes, random: Random) -> bytes:
    lines = text.splitlines(keepends=True)
    return text + random.choice(lines) if lines else text


@contextmanager
def in_time() -> Iterator[None]:
    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError("the case hangs")

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def answer(words: list[str], home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with the answer to a command line that is given in `home`; empty if nothing is."""
    before = files(home)
    with in_time():
        try:
            status = main(words)
        except SystemExit as ended:
            status = int(ended.code or 0)
    error = capsys.readouterr().err
    strangers = {name for name in files(home) - before if not name.startswith("runs/")}
    if strangers:
        return f"wrote {sorted(strangers)}"
    if status not in (0, 1, 2):
        return f"exit status {status}"
    if status and not (error.startswith("topformer: ") and error.count("topformer: ") == 1):
        return f"status {status} with the message {error[:300]!r}"
    if "the traceback is in" in error or "Traceback" in error or "\x1b" in error:
        return f"message {error[:300]!r}"
    return ""


def study(home: Path, random: Random) -> list[str]:
    (home / "study.toml").write_bytes(mutated(STUDY, random))
    return ["sweep", "study.toml", "--dry-run"]


def table(home: Path, random: Random) -> list[str]:
    (home / "table.toml").write_bytes(mutated(TABLE, random))
    return ["ablate", "table.toml", "--dry-run", "--out", "runs/a"]


def design(home: Path, random: Random) -> list[str]:
    (home / "design.json").write_bytes(mutated(DESIGN, random))
    return ["cost", "design.json", "--size", "64"]


def device(home: Path, random: Random) -> list[str]:
    shutil.copytree(DEVICE, home / "board", dirs_exist_ok=True)
    path = home / "board" / random.choice(("device.toml", "measured.csv", "coefficients.json"))
    path.write_bytes(mutated(path.read_bytes(), random))
    return ["latency", "tiny", "--device", "board", "--size", "64"]


def rows(home: Path, random: Random) -> list[str]:
    path = home / "rows.csv"
    for network, milliseconds in ((TINY, 20.0), (SMALL, 38.0)):
        append_row(path, row(network, median_ms=milliseconds))
    path.write_bytes(mutated(path.read_bytes(), random))
    return ["calibrate", "rows.csv", "--device", "board", "--out", "runs/board", "--overwrite"]


def records(home: Path, random: Random) -> list[str]:
    folder = home / "run"
    folder.mkdir(exist_ok=True)
    published = (ROOT / "docs/ablations/records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(mutated(b"".join(random.sample(published, 2)), random))
    return ["pareto", "run", "--out", "runs/figures"]


def data(home: Path, random: Random) -> list[str]:
    for split in ("training", "validation"):
        for kind, shape in (("images", (32, 32, 3)), ("annotations", (32, 32))):
            path = home / "data" / kind / split / "a.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.arange(np.prod(shape)).reshape(shape).astype(np.uint8) % 3).save(path)
    (home / "data/dataset.json").write_bytes(b'{"name": "mine", "classes": ["a", "b"], "ignore": 0, "palette": []}')
    path = random.choice([path for path in sorted((home / "data").rglob("*")) if path.is_file()])
    path.write_bytes(mutated(path.read_bytes(), random))
    return ["data", "check", "data"]


def command_line(home: Path, random: Random) -> list[str]:
    words = random.choice(
        (
            ["enumerate", "paper", "--base", "nano", "--size", "64", "--sample", "1", "--limit", "2"],
            ["latency", "tiny", "--device", "snapdragon-865", "--size", "64"],
            ["sweep", "nano-tokenworld", "--consider", "20", "--max-macs", "1e9", "--seed", "1", "--dry-run"],
            ["ablate", "table-3", "--out", "runs/a", "--seeds", "2", "--dry-run"],
            ["cost", "nano", "--size", "64", "--classes", "7"],
        )
    )
    # The last words stay: without --dry-run a sweep would begin.
    place = random.randrange(len(words) - 2)
    values = [value.strip("'\"") for value in VALUES]
    return random.choice(
        (
            words[:place] + words[place + 1 :],
            [*words[:place], random.choice(values), *words[place + 1 :]],
            [*words[:place], words[place][:-1], *words[place + 1 :]],
            [*words, random.choice(("--out", "--json", "--workers", "--sizes", "-x", *values))],
        )
    )


KINDS: dict[Callable[[Path, Random], list[str]], int] = {
    study: 80,
    table: 80,
    design: 100,
    device: 60,
    rows: 60,
    records: 40,
    data: 80,
    command_line: 100,
}
"""How often each is tried."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_input_has_one_answer(
    kind: Callable[[Path, Random], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = {}
    for case in range(KINDS[kind]):
        home = tmp_path / str(case)
        home.mkdir()
        monkeypatch.chdir(home)
        words = kind(home, Random(case))
        if found := answer(words, home, capsys):
            wrong[case, *words] = found
    assert wrong == {}


def test_at_least_500_inputs_are_damaged() -> None:
    assert sum(KINDS.values()) >= 500
