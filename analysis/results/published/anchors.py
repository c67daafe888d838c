"""The published accuracies of networks of the TopFormer family, each with the design that it belongs to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from analysis.reference import PaperRow, number, paper_table
from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.design import Design, Head, Injection
from topformer.presets import BASE, PRESETS

PAPER, RELEASE, SEARCHED = "paper", "release", "searched"
"""Where a point was published. The paper's are the reference; the release's and the searched are shifted by one amount
each, because schedules and starting weights differ."""

LETTERS: Mapping[str, str] = MappingProxyType({"T": "tiny", "S": "small", "B": "base"})
"""The letter at the end of a published name to the preset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a published network was trained on, and how.

    Attributes:
        classes: Of the data.
        iterations: Of the schedule.
        sides: Least and largest side of the images, in pixels.
        batches: Least and largest number of images per iteration.
    """

    classes: int
    iterations: int
    sides: tuple[int, int]
    batches: tuple[int, int]


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "ade20k": Setting(classes=150, iterations=160_000, sides=(448, 512), batches=(16, 32)),
        "coco-stuff-10k": Setting(classes=171, iterations=80_000, sides=(512, 512), batches=(16, 16)),
        "pascal-context-59": Setting(classes=59, iterations=80_000, sides=(480, 480), batches=(16, 16)),
        "pascal-context-60": Setting(classes=60, iterations=80_000, sides=(480, 480), batches=(16, 16)),
    }
)
"""Data set to what was published on it; schedules as in the release's configuration files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One published accuracy.

    Attributes:
        model: Which network, for those that leave one out: `tiny`, `small` or `base`.
        design: The network; of the searched ones the released network of that size stands for it.
        dataset: One of `SETTINGS`.
        side: Of the images, in pixels.
        batch: Images per iteration.
        source: `paper`, `release` or `searched`.
        miou: Percent.
        where: The table.
    """

    model: str
    design: Design
    dataset: str
    side: int
    batch: int
    source: str
    miou: float
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What a text says of two networks that differ in one thing.

    Attributes:
        base: The one.
        changed: The other.
        miou: Percentage points that the other has more.
        sd: How far that may be wrong.
        is_printed: Whether it is a printed number; else a word, read as one.
        where: The table, and what it says.
    """

    base: Design
    changed: Design
    miou: float
    sd: float
    is_printed: bool
    where: str


@cache
def anchors() -> tuple[Anchor, ...]:
    """Every published accuracy of a TopFormer whose design is known, and the searched ones by their size."""
    return (*_table_1(), *_table_6(), *_release(), *_searched(), *_other_sets())


@cache
def contrasts() -> tuple[Contrast, ...]:
    """What the running text says of single changes, on ADE20K."""
    return tuple(_contrast(row) for row in paper_table("differences_ade20k"))


def _contrast(row: PaperRow) -> Contrast:
    base = Candidate(design=PRESETS[str(row["base"])], height=512, width=512)
    axis = space("full", base=base.design, height=512, width=512).axis(str(row["axis"]))
    changed = axis.apply(base, axis.choices[str(row["label"])])
    return Contrast(
        base=base.design,
        changed=changed.design,
        miou=_known(row, "difference"),
        sd=_known(row, "sd"),
        is_printed=row["basis"] == "printed",
        where=str(row["note"]),
    )


def _table_1() -> Iterator[Anchor]:
    rows = [row for row in paper_table("table_01_ade20k") if row["method"] == "TopFormer"]
    return _of_rows(rows, lambda row: str(row["encoder"]), PAPER, "Table 1")


def _table_6() -> Iterator[Anchor]:
    # The row "Ours" is Base of Table 1.
    designs = {"Concat Head": replace(BASE, head=Head.CONCAT), "Sum Head": replace(BASE, injection=Injection.SUM)}
    for row in paper_table("table_06_head"):
        if row["setting"] in designs:
            design = designs[str(row["setting"])]
            yield Anchor(
                model="base", design=design, dataset="ade20k", side=512, batch=16, source=PAPER,
                miou=_known(row, "miou"), where=f"Table 6, {row['setting']}",
            )  # fmt: skip


def _release() -> Iterator[Anchor]:
    return _of_rows(paper_table("release_ade20k"), lambda row: str(row["model"]), RELEASE, "the release's README")


def _searched() -> Iterator[Anchor]:
    rows = paper_table("searched_topformer_ade20k")
    return _of_rows(rows, lambda row: str(row["model"]), SEARCHED, "the published search")


def _other_sets() -> Iterator[Anchor]:
    for dataset, table, side, column in (
        ("coco-stuff-10k", "table_10_coco_stuff", 512, "miou"),
        ("pascal-context-59", "table_09_pascal_context", 480, "miou_59"),
        ("pascal-context-60", "table_09_pascal_context", 480, "miou_60"),
    ):
        for row in paper_table(table):
            miou = number(row, column)
            if row["method"] == "TopFormer" and miou is not None:
                model = LETTERS[str(row["encoder"])[-1]]
                yield Anchor(
                    model=model, design=PRESETS[model], dataset=dataset, side=side, batch=16, source=PAPER,
                    miou=miou, where=f"Table {int(table[6:8])}",
                )  # fmt: skip


def _of_rows(
    rows: "tuple[PaperRow, ...] | list[PaperRow]", name: Callable[[PaperRow], str], source: str, where: str
) -> Iterator[Anchor]:
    for row in rows:
        model, side = LETTERS[name(row)[-1]], int(_known(row, "input"))
        batch = row.get("batch")
        yield Anchor(
            model=model,
            design=PRESETS[model],
            dataset="ade20k",
            side=side,
            # Where none is stated, it is the 16 of the paper's text.
            batch=int(batch) if isinstance(batch, float) else 16,
            source=source,
            miou=_known(row, "miou"),
            where=where,
        )


def _known(row: PaperRow, column: str) -> float:
    value = number(row, column)
    assert value is not None
    return value
