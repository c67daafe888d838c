"""Print what a study, an ablation table, a device or a data set file may hold, as a JSON schema for editors.

Editors complete keys with it, show what they mean, and mark mistakes. Taplo and Even Better TOML read it of a file
whose first line is `#:schema study.schema.json`.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from experiments.cli.parsing import place
from experiments.implementations import Implementation
from topformer.files import write_text
from topformer.schema import json_schema

EXAMPLE = "topformer schema study --out study.schema.json"

FILES: Mapping[str, Implementation] = MappingProxyType(
    {
        "study": Implementation(
            "experiments.search.definition:StudyDefinition", "A study for `topformer sweep`, as TOML."
        ),
        "table": Implementation(
            "experiments.ablations.sections:TableSection", "An ablation table for `topformer ablate`, as TOML."
        ),
        "device": Implementation(
            "search_space.latency.calibration.devices:DeviceFile",
            "How a device was measured: `device.toml` in its folder, beside `measured.csv`.",
        ),
        "dataset": Implementation(
            "experiments.data.folders.description:Description",
            "What a folder of images and labels holds: `dataset.json` in it; a folder needs none of the keys.",
        ),
    }
)
"""Every kind of file that people write, with the dataclass of its keys."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", choices=list(FILES), help="what kind of file")
    parser.add_argument("--out", type=place, default=None, metavar="FILE", help="write it there instead of printing it")


def run(args: argparse.Namespace) -> int:
    """Print or write the schema."""
    text = schema_text(args.file)
    if args.out is None:
        print(text)
        return 0
    write_text(args.out, f"{text}\n")
    print(f"wrote {args.out}; the first line of a TOML file names it: #:schema {_beside(args.out)}")
    return 0


def schema_text(name: str) -> str:
    """The schema of one of `FILES`."""
    kind = FILES[name]
    head = {"$schema": "http://json-schema.org/draft-04/schema#", "title": name, "description": kind.help}
    return json.dumps({**head, **json_schema(kind.load())}, indent=2)


def _beside(path: Path) -> str:
    return path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
