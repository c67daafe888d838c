"""Replay searches on recorded trainings: which sampler needs how many of them."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.cli.arguments import add_json
from experiments.cli.ladder import SHIPPED
from experiments.cli.parsing import of, place
from experiments.search.samplers import SAMPLERS
from topformer.bounds import COUNT

if TYPE_CHECKING:
    from analysis.reports.text_table import TextTable
    from experiments.ladder.pool import Pool
    from experiments.ladder.replay import SamplerReplay

EXAMPLE = "topformer replay --samplers tpe,nsga2,random,halving --seeds 20"
DEFAULT = ("random", "tpe", "nsga2", "nsga3", "ehvi")
"""All but the Gaussian process of Optuna, which takes as long as all others together many times over."""
MOST = 20
"""Trials, or half of the recorded designs: searches that may try them all end where all others do."""
_SHOWN = 4
"""Columns of shares in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("table", nargs="?", default=SHIPPED, help="a truth table, or a run folder")
    parser.add_argument(
        "--samplers",
        metavar="NAMES",
        help=f"of {', '.join(SAMPLERS)}, halving, ladder; with commas between (default: all but gp that the table can "
        "replay)",
    )
    parser.add_argument(
        "--trials", type=of(COUNT), default=None, help=f"full trainings that each may spend; {MOST} or half by default"
    )
    parser.add_argument("--seeds", type=of(COUNT), default=20, help="replays of each sampler")
    parser.add_argument("--plot", type=place, default=None, metavar="FILE", help="draw the curves into a PNG or SVG")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print, and perhaps draw, what each sampler reached."""
    from analysis.results.truth_files import truth_table
    from experiments.ladder.pool import Pool
    from experiments.ladder.replay import check_names, replay

    named = None if args.samplers is None else [name.strip() for name in args.samplers.split(",") if name.strip()]
    if named is not None:
        check_names(named)
    if args.plot is not None:
        from analysis.plots.style import check_figure

        check_figure(args.plot)
    pool = Pool.of(truth_table(args.table))
    names = _possible(pool) if named is None else named
    trials = args.trials or min(MOST, (len(pool) + 1) // 2)
    found = replay(pool, names, trials=trials, seeds=args.seeds)
    if args.json:
        samplers = [asdict(one) for one in found]
        print(
            json.dumps({"designs": len(pool), "cost": pool.cost, "seeds": args.seeds, "samplers": samplers}, indent=2)
        )
    else:
        from experiments.cli.terminal import console, show_table

        title = f"Share of the hypervolume of {len(pool)} designs, accuracy and {pool.cost}; median, 5 to 95 %"
        show_table(console(), _table(title, found))
    if args.plot is not None:
        _draw(found, args.plot, f"{args.table}: {len(pool)} recorded designs, {args.seeds} searches each")
    return 0


def _possible(pool: "Pool") -> list[str]:
    from experiments.ladder.replay import HALVING, LADDER

    climbs = {HALVING: pool.early, LADDER: pool.scored}
    return [*DEFAULT, *(name for name, lower in climbs.items() if lower is not None)]


def _table(title: str, found: Sequence["SamplerReplay"]) -> "TextTable":
    from analysis.reports.text_table import TextTable

    trials = len(found[0].median)
    places = sorted({max(1, round(trials * part / _SHOWN)) for part in range(1, _SHOWN + 1)})
    rows = [
        [
            one.name,
            *(f"{one.median[k - 1]:.3f} [{one.low[k - 1]:.2f}, {one.high[k - 1]:.2f}]" for k in places),
            "" if one.needed is None else f"{one.needed:g}",
            "" if one.needed_seconds is None else f"{one.needed_seconds:,.0f}",
        ]
        for one in found
    ]
    header = ["sampler", *(f"after {k}" for k in places), "needs for random's last", "CPU s"]
    return TextTable.of(title, header, rows)


def _draw(found: Sequence["SamplerReplay"], path: Path, title: str) -> None:
    from analysis.plots.replay import save_replay

    save_replay(found, path, title=title)
