"""Write the reference pages: `python -m docs.make.reference`."""

import argparse
from pathlib import Path

from docs.make.reference.commands import commands_page
from docs.make.reference.files import files_page
from topformer.files import write_text

DOCS = Path(__file__).parents[2] / "reference"


def main() -> None:
    """Writes them."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    write_text(DOCS / "commands.md", commands_page())
    write_text(DOCS / "files.md", files_page())


if __name__ == "__main__":
    main()
