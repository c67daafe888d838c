"""Count the ARM instructions of designs by kind, without ARM hardware; instructions, not time.

`emulate setup` prepares a folder with QEMU, a small Debian for arm64 and ncnn; it needs no root.
"""

import argparse
import json
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis.records.named_design import FORMS
from experiments.cli.arguments import OWN_SIZE, add_json, add_size, common_size, sized
from experiments.cli.parsing import of, place
from topformer.bounds import COUNT
from topformer.errors import InputError

EXAMPLE = "topformer emulate setup && topformer emulate tiny base --size 512 --out counts.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from experiments.emulate.folder import DEFAULT

    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=f"each {FORMS}; or the word setup, alone")
    add_size(parser, None, OWN_SIZE)
    parser.add_argument("--folder", type=place, default=DEFAULT, metavar="DIR", help="where the emulated machine is")
    parser.add_argument("--forwards", type=of(COUNT), default=1, help="forwards whose mean is counted")
    parser.add_argument("--out", type=place, default=None, metavar="COUNTS.csv", help="file that the rows are added to")
    parser.add_argument("--fit", type=place, default=None, metavar="COUNTS.csv", help="fit rates to counts made before")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that would run; change nothing")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prepare, count, or fit."""
    args.folder = args.folder.expanduser().absolute()
    if args.fit is not None:
        return _fit(args)
    if not args.designs:
        raise InputError("emulate needs designs, the word setup, or --fit COUNTS.csv; got none of them")
    if "setup" in args.designs and len(args.designs) > 1:
        raise InputError(f"setup must stand alone, got {' '.join(args.designs)}")
    return _setup(args) if args.designs == ["setup"] else _count(args)


def _fit(args: argparse.Namespace) -> int:
    from experiments.emulate.counts import read
    from experiments.emulate.fit import LOADS, fit

    if args.designs:
        raise InputError(f"--fit takes its networks from the file, so no design may be named, got {args.designs[0]}")
    found = fit(tuple(read(args.fit)))
    if args.json:
        errors = dict(zip(found.names, found.left_out, strict=True))
        rates = dict(zip(LOADS, found.rates, strict=True))
        print(json.dumps({"million_instructions_per": rates, "error_left_out": errors}, indent=2))
    else:
        print(found.render())
    return 0


def _setup(args: argparse.Namespace) -> int:
    from experiments.emulate.folder import steps
    from experiments.emulate.setup import check_name, is_done, prepare

    if args.dry_run:
        check_name(args.folder)
        print(f"mkdir -p {args.folder}/apt && cd {args.folder}")
        for step in steps(args.folder):
            print("\n".join([f"# {step.name}: {step.what}", *step.lines()]))
        return 0
    due = [step.name for step in steps(args.folder) if not is_done(step, args.folder)]
    print(f"preparing {args.folder}: {', '.join(due) or 'nothing'} to do", flush=True)
    for step, done in prepare(args.folder):
        print(f"{step.name}: {step.what}: {'done' if done else 'was done before'}", flush=True)
    packages = sorted(path.name for path in (args.folder / "apt" / "archives").glob("*.deb"))
    print(f"{len(packages)} packages unpacked, none installed: {' '.join(packages)}")
    return 0


def _count(args: argparse.Namespace) -> int:
    from experiments.emulate.counts import append, count, render, to_json
    from experiments.emulate.folder import counting
    from experiments.emulate.setup import check_ready
    from topformer.codec import to_json as design_json
    from topformer.deployment.boundary import Format
    from topformer.deployment.export import export

    height, width = common_size(args.size, *args.designs)
    candidates = [sized(name, (height, width)) for name in args.designs]
    if args.dry_run:
        for forwards in (1, 1 + args.forwards):
            network, out = Path("NETWORK.param"), Path("COUNTS")
            argv = counting(args.folder, network, height=height, width=width, forwards=forwards, out=out)
            print(shlex.join(argv))
        return 0
    check_ready(args.folder)
    rows = []
    for name, wanted in zip(args.designs, candidates, strict=True):
        with TemporaryDirectory(prefix="topformer-") as place:
            param = Path(place) / "network.param"
            exported = export(wanted.design, param, to=Format.NCNN, height=height, width=width)
            design = json.dumps(design_json(wanted.design), separators=(",", ":"))
            rows.append(count(exported, args.folder, network=name, design=design, forwards=args.forwards))
        if args.out is not None:
            append(args.out, rows[-1])
    print(json.dumps([to_json(row) for row in rows], indent=2) if args.json else render(rows))
    return 0
