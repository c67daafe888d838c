"""Runs an ncnn network some times; a program of its own, for the emulated Python, which has numpy and ncnn only."""

import sys
from collections.abc import Sequence
from importlib import import_module


def main(arguments: Sequence[str]) -> int:
    """Run `PARAM HEIGHT WIDTH FORWARDS`: one thread, fp32, an even image; print the version of ncnn.

    Returns:
        0, or 1 where ncnn refuses the network.
    """
    param, height, width, forwards = arguments[0], *map(int, arguments[1:4])
    ncnn, numpy = import_module("ncnn"), import_module("numpy")
    net = ncnn.Net()
    net.opt.num_threads = 1
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, option, False)
    if net.load_param(param) or net.load_model(param[: -len("param")] + "bin"):
        return complain("ncnn cannot read the network")
    numbers = numpy.full((3, height, width), 0.01, dtype=numpy.float32)
    image = ncnn.Mat(numbers).clone()  # a Mat does not keep its numbers alive, so they need a name until here
    for _ in range(forwards):
        extractor = net.create_extractor()
        extractor.input("in0", image)
        status, out = extractor.extract("out0")
        if status:
            return complain(f"ncnn cannot run the network: status {status}")
    # Once and not in the loop: this is no part of a forward.
    if not numpy.isfinite(numpy.array(out)).all():
        return complain("the network's output is not finite")
    sys.stdout.write(f"{ncnn.__version__}\n")
    return 0


def complain(message: str) -> int:
    """Say what is wrong; the status for it."""
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
