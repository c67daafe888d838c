"""Draw a design as an SVG file: its pyramid, what is pooled and injected, blocks, widths and head."""

import argparse

from analysis.records.named_design import FORMS, named_design
from experiments.cli.parsing import place

EXAMPLE = "topformer draw base --out base.svg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("design", help=FORMS)
    parser.add_argument("--out", type=place, required=True, metavar="FILE.svg", help="file to write")


def run(args: argparse.Namespace) -> int:
    """Draw and print what it is."""
    from analysis.plots.design_drawing import write_drawing
    from analysis.results.design_words import in_words

    design = named_design(args.design)
    write_drawing(args.out, [(args.design, design)])
    print(f"{args.out}: {in_words(design)}")
    return 0
