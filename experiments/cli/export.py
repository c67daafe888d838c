"""Write a design as an ONNX or ncnn file, BatchNorm folded, and check it against torch.

Without `--checkpoint` the weights are random: enough for timing, not for use.
"""

import argparse
from pathlib import Path

from experiments.cli.arguments import add_boundary, add_candidate, candidate
from experiments.cli.parsing import of, place
from topformer.bounds import BATCH, OPSETS, SEED
from topformer.deployment.boundary import OPSET, SUFFIXES, Boundary, Format

EXAMPLE = "topformer export base --to onnx --size 512 --out base.onnx"

FORMATS = (Format.ONNX.value, Format.NCNN.value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_candidate(parser)
    parser.add_argument("--to", required=True, choices=FORMATS, help="format of the file")
    parser.add_argument("--out", type=place, required=True, metavar="FILE", help=f"file to write: {_endings()}")
    parser.add_argument("--checkpoint", type=place, default=None, metavar="FILE", help="trained weights")
    parser.add_argument("--seed", type=of(SEED), default=0, help="seed of the random weights and of the checked image")
    parser.add_argument(
        "--dynamic", action="store_true", help="ONNX: take images of every size in multiples of the pooling stride"
    )
    parser.add_argument("--batch", type=of(BATCH), default=1, help="ONNX: images in one input")
    parser.add_argument(
        "--opset", type=of(OPSETS), default=None, help=f"ONNX: operations of this version; {OPSET} by default"
    )
    add_boundary(parser)


def _endings() -> str:
    return ", ".join(f"*{SUFFIXES[Format(name)]} for {name}" for name in FORMATS)


def run(args: argparse.Namespace) -> int:
    """Write the file and say what it is."""
    from topformer.deployment.export import export

    wanted = candidate(args)
    written = export(
        wanted.design,
        args.out,
        to=Format(args.to),
        height=wanted.height,
        width=wanted.width,
        boundary=Boundary(args.boundary),
        checkpoint=args.checkpoint,
        seed=args.seed,
        dynamic=args.dynamic,
        batch=args.batch,
        opset=args.opset,
        inputs=[Path(args.design)],
    )
    print(written.render())
    return 0
