"""An ablation table as data: what each row costs, what the paper prints for it, and what was measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from analysis.records.record import Metric
from analysis.results.effects import Agreement, Difference, Direction, Summary

UNKNOWN = "unknown"
"""What a cell says that the paper has and we do not."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a number is shown.

    Attributes:
        heading: What it is, with its unit.
        scale: From the stored number to the shown one.
        places: Decimal places.
    """

    heading: str
    scale: float = 1.0
    places: int = 1


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "parameters": Column("params (M)", 1e-6, 3),
        "macs_paper": Column("MACs (G, paper's count)", 1e-9, 3),
        "macs": Column("MACs (G, fvcore)", 1e-9, 3),
        "latency_ms": Column("latency (ms)", 1.0, 1),
        "parameters_share": Column("params (%)", 100.0, 1),
        "macs_share": Column("MACs (%)", 100.0, 1),
        "latency_share": Column("latency (%)", 100.0, 1),
        "miou": Column("mIoU (%)", 1.0, 1),
        "miou_59": Column("mIoU, 59 classes (%)", 1.0, 2),
        "miou_60": Column("mIoU, 60 classes (%)", 1.0, 2),
        "ap": Column("AP (%)", 1.0, 1),
    }
)
"""Every column that a table may have, ours or published."""

COSTS = ("parameters", "macs_paper", "macs", "latency_ms")
SHARES = ("parameters_share", "macs_share", "latency_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number that was printed.

    Attributes:
        value: In the unit of the column's heading; None where it exists and is not known to us.
        source: Where it was printed.
    """

    value: float | None
    source: str

    @property
    def places(self) -> int:
        """Decimal places that were printed."""
        return -min(0, int(Decimal(repr(self.value)).as_tuple().exponent)) if self.value is not None else 0

    def __str__(self) -> str:
        return UNKNOWN if self.value is None else f"{self.value:.{self.places}f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the paper says of a row against the baseline, without a number.

    Attributes:
        direction: Better, worse or similar.
        source: Where it says so.
    """

    direction: Direction
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """What was measured for one row.

    Attributes:
        fingerprint: The candidate that ran.
        scores: Seed to score.
        failed: Seed to the reason why there is no score.
        same_as: An earlier row that is the same network here, or empty.
        summary: Over all seeds of the row; None without any.
        difference: To the baseline; None for the baseline and without one.
        group: Letters of the sets of rows of which no two are shown to differ.
        agreement: With the direction that the paper gives; None for the baseline.
        seeds_for_verdict: Seeds with which the paper's claim could be judged, if the measured difference is the true
            one; None where it is judged, where there is no claim or no noise, and where very many would be needed.
    """

    fingerprint: str
    scores: Mapping[int, float]
    failed: Mapping[int, str] = field(default_factory=dict)
    same_as: str = ""
    summary: Summary | None = None
    difference: Difference | None = None
    group: str = ""
    agreement: Agreement | None = None
    seeds_for_verdict: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """One row.

    Attributes:
        label: Its name in the table.
        edits: What makes it, in words.
        fingerprint: The candidate at the paper's size; empty for a row that is only published.
        costs: Column to what we count or predict for that candidate.
        published: Column to what was printed.
        claim: What the paper says without a number.
        why: Column to the reason why ours and the printed number differ.
        measured: What was measured; None where the row has no accuracy.
    """

    label: str
    edits: str = ""
    fingerprint: str = ""
    costs: Mapping[str, Metric] = field(default_factory=dict)
    published: Mapping[str, Published] = field(default_factory=dict)
    claim: Claim | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    measured: MeasuredRow | None = None

    def differs(self, column: str) -> bool:
        """Whether ours, rounded as the printed number is, is another one; for a prediction, outside its interval."""
        ours, printed = self.costs.get(column), self.published.get(column)
        if ours is None or printed is None or printed.value is None:
            return False
        scale = COLUMNS[column].scale
        if ours.source == "exact":
            return f"{scale * ours.value:.{printed.places}f}" != str(printed)
        return ours.low is not None and ours.high is not None and not ours.low <= printed.value / scale <= ours.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Where the measured half of a table comes from.

    Attributes:
        metric: Such as `miou@tokenworld-128`.
        base: Name of the design that the rows' edits are applied to.
        size: Its input size, such as `128x128`, or `the table's own`.
        budget: Iterations of each run; 0 where nothing is trained.
        seeds: Asked for.
        study: Identity of evaluator, recipe and data.
        settings: Everything that the numbers depend on besides design, budget and seed.
        common: Seeds that every row has.
        power: What so many seeds can show, as sentences.
    """

    metric: str
    base: str
    size: str
    budget: int
    seeds: tuple[int, ...]
    study: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    common: tuple[int, ...] = ()
    power: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The metric with its unit, where it has one."""
        return f"{self.metric} (%)" if self.metric.startswith("miou@") else self.metric

    @property
    def spent(self) -> str:
        """What each run spent, in words."""
        return f"{self.budget:,} iterations" if self.budget else "nothing trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """One table.

    Attributes:
        id: Such as `table-3`; the name of its files.
        title: What it asks.
        source: What it reproduces; empty for a table of the user's.
        base: The design and size of the costs, in words.
        baseline: Label of the row that the others are compared with; empty without one.
        rows: In order.
        columns: Our cost columns.
        notes: What a reader should know.
        figure: `rows`, `latency` or `shares`.
        evaluation: Where the measured half comes from; None without one.
    """

    id: str
    title: str
    source: str
    base: str
    baseline: str
    rows: tuple[AblationRow, ...]
    columns: tuple[str, ...] = COSTS
    notes: tuple[str, ...] = ()
    figure: str = "rows"
    evaluation: Evaluation | None = None

    @property
    def printed(self) -> tuple[str, ...]:
        """Columns that the paper has, in the order of `COLUMNS`."""
        return tuple(name for name in COLUMNS if any(name in row.published for row in self.rows))

    @property
    def published_accuracy(self) -> tuple[str, ...]:
        """Published columns that are no cost of ours."""
        return tuple(name for name in self.printed if name not in (*COSTS, *SHARES))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, with every seed."""
        values: dict[str, Any] = _plain(asdict(self))
        return values


def _plain(value: Any) -> Any:
    """Mappings with text keys, lists for tuples."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
