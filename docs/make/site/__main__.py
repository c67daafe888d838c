"""Build the documentation site: `python -m docs.make.site [--out FOLDER]`."""

import argparse
import sys
from pathlib import Path

from docs.make.site.build import SITE, build
from topformer.errors import ExplorerError


def main() -> int:
    """Build it; a broken link is one line and status 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(SITE), help="folder of the site, which is replaced")
    args = parser.parse_args()
    try:
        build(args.out)
    except ExplorerError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    print(f"{args.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
