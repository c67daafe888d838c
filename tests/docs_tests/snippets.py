"""Commands and programs of the pages, found by sybil, and how each is run in a test: whole, scaled down or not."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sybil import Document, Example, Region

from tests import ROOT
from topformer.optional_packages import missing

PROGRAMS = (
    "topformer",
    "python",
    "make",
    "torchrun",
    "git",
    "adb",
    "ssh",
    "ray",
    "docker",
    "litert/bin/pip",
    "cd",
    "cp",
)
_PYTHON = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```(?:bash|console|sh)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command line of a page, without its comment."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Program:
    """A Python program of a page."""

    code: str


def commands(document: Document) -> Iterator[Region]:
    """Indented command lines, and those of fenced blocks without a language."""
    for match in re.finditer(r"^ {4}(?! )(?P<line>\S(?:[^\n]*\\\n)*[^\n]*)$", document.text, re.MULTILINE):
        yield from _region(match, match["line"])
    for block in _FENCED.finditer(document.text):
        for match in re.finditer(r"^(?:\$ )?(?P<line>\S(?:[^\n]*\\\n)*[^\n]*)$", block["body"], re.MULTILINE):
            yield from _region(match, match["line"], block.start("body"))


def _region(match: re.Match[str], line: str, offset: int = 0) -> Iterator[Region]:
    first, _, rest = line.lstrip("(").partition(" ")
    # Several spaces stand in a drawing.
    if first in PROGRAMS and not rest.startswith(" "):
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        yield Region(offset + match.start("line"), offset + match.end("line"), Command(tuple(words)))


def programs(document: Document) -> Iterator[Region]:
    """Fenced blocks of Python."""
    for match in _PYTHON.finditer(document.text):
        yield Region(match.start(), match.end(), Program(match["code"]))


def examples(path: Path) -> list[Example]:
    """Every command and program of a page, in order."""
    return list(Document.parse(str(path), commands, programs).examples())


def pages() -> list[str]:
    """Pages that hold at least one."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found if examples(path)]


@cache
def first_places() -> dict[str, tuple[str, int]]:
    """Each command line to the page and the line that show it first: there it is run, and not again."""
    found: dict[str, tuple[str, int]] = {}
    for page in pages():
        for example in examples(ROOT / page):
            if isinstance(example.parsed, Command):
                found.setdefault(example.parsed.text, (page, example.line))
    return found


@dataclass(frozen=True)
class Rule:
    """What a test does with the commands that fit an expression; of several rules the first.

    Attributes:
        fits: The expression, searched for in the command line.
        add: Options that make it small enough; the last of two counts.
        slow: Whether it is run with the slow tests only; it is parsed with the others.
        extra: The optional part without which it is not run.
        why_not: Why it cannot be run here; it is parsed.
    """

    fits: str
    add: str = ""
    slow: bool = False
    extra: str = ""
    why_not: str = ""

    def runs(self, *, slow: bool) -> bool:
        """Whether a command is run here, among the slow tests or the others."""
        return not (self.why_not or (self.slow and not slow) or (self.extra and missing(self.extra)))


RULES = (
    # Programs of others.
    Rule(r"^python -m (pip|venv)|^litert|^git |^'?\(?cd |^cp ", why_not="installs or fetches what is not ours"),
    Rule(r"^adb |^ssh ", why_not="needs a phone or another machine"),
    Rule(r"^ray ", why_not="starts a cluster"),
    Rule(r"^torchrun ", why_not="starts several processes: tests/experiments_tests/training does"),
    Rule(r"^make ", why_not="its lines are those of the Makefile; a test says that the target exists"),
    Rule(r"^python -m (docs|benchmarks)", why_not="writes pages or measures for minutes; has tests of its own"),
    # What is not at hand here.
    Rule(r"--address HOST", why_not="needs a cluster: tests/experiments_tests/engines start one"),
    Rule(r"--storage postgresql", why_not="needs a database server: tests/experiments_tests/search start one"),
    Rule(r"topformer-[TSB]-224|release_|local_configs", why_not="needs files of the release, which are not at hand"),
    Rule(r"emulate (setup|(?!--fit))", why_not="downloads 365 MB, or needs what was downloaded"),
    Rule(r"measure .*--on (ssh|adb)", add="--dry-run"),
    Rule(r"detect train --data data/coco", why_not="needs COCO"),
    Rule(r"^topformer (truth|ladder [a-z])", why_not="trains for hours, or needs such runs: experiments_tests/ladder"),
    Rule(r"--watch", why_not="goes on as long as its run: tests/experiments_tests/cli/test_report.py"),
    Rule(r"^topformer dashboard ", why_not="serves until it is stopped: tests/experiments_tests/cli/test_report.py"),
    # What takes long.
    Rule(r"measure .*--on local|measure (?!.*--on)", add="--runs 10 --seconds 1 --repeats 1 --warmup 1", slow=True),
    Rule(r"detect train", add="--epochs 1", slow=True, extra="detection"),
    Rule(r"^topformer pretrain", add="--epochs 1 --batch 8 --size 64 --workers 0", slow=True),
    Rule(r"--loop lean", add="--iterations 2 --batch 2 --size 64", slow=True),
    Rule(r"supernet train", add="--iterations 2 --batch 2 --data data/mini"),
    Rule(r" train ", add="--iterations 2 --batch 2 --workers 0 --size 64", slow=True),
    Rule(r" (evaluate|predict|export) ", slow=True),
    Rule(r"cost .*--ledger", slow=True),
    Rule(r"sweep ade20k-published", slow=True),
    Rule(r"sweep .*--evaluator count", add="--trials 1 --consider 20"),
    Rule(r"sweep .*--evaluator proxy", add="--trials 1 --consider 20 --size 64 --data data/mini"),
    Rule(
        r"sweep ", add="--trials 1 --budget 1 --consider 20 --size 64 --workers 1 --data data/mini --max-latency-ms 999"
    ),
    Rule(r"replay", add="--seeds 2"),
    Rule(r"ablate all --from", slow=True),
    Rule(r"ablate (?!list|.*--(dry-run|from))", add="--dry-run"),
    Rule(r"measure-next", add="--consider 300 --budget 2"),
    Rule(r"compare (?!.*--(run|drawing))", add="--consider 300"),
    Rule(r"data tokenworld", add="--training 8 --validation 4"),
    Rule(r"data convert .*", add="--out converted"),
)


PROGRAMS_NOT_RUN = {
    "local_configs": "needs files of the release, which are not at hand",
    "custom_imports": "is a part of a file, with dots for the rest",
}
"""What stands in a Python program to why it cannot be run."""


def rule(command: Command) -> Rule:
    """The rule of a command; one that runs it as it is where none fits."""
    return next((one for one in RULES if re.search(one.fits, command.text)), Rule(""))
