"""Open Optuna's dashboard over a run: trials, parameters, drawings and our Pareto plot, also while it goes on."""

import argparse
import tempfile
from pathlib import Path

from experiments.cli.arguments import add_run, found_run
from experiments.cli.parsing import of
from topformer.kinds import Integer

EXAMPLE = "topformer dashboard runs/nano-tokenworld"
_PORT = Integer(0, 65535)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; this machine alone by default")
    parser.add_argument("--port", type=of(_PORT), default=8080, help="0 takes one that is free")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from experiments.search.dashboard import Dashboard, server

    with tempfile.TemporaryDirectory(prefix="topformer-") as files:
        app = Dashboard(found_run(args.run), Path(files), name=str(args.run))
        with server(app, args.host, args.port) as serving:
            print(f"http://{args.host}:{serving.server_port}/dashboard/ until Ctrl-C", flush=True)
            serving.serve_forever()
    return 0
