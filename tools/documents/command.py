"""Brings the generated parts of the documents up to date.

    python tools/run.py tools.documents.command           # writes the files
    python tools/run.py tools.documents.command --check   # lists them; exit code 1 if there are any

Needs the Python of the unit tests (torch, numpy), and no ComfyUI.
"""

import argparse
import sys
from collections.abc import Sequence

from . import pages, schemas


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or lists the files whose generated parts are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="list the files, change nothing")
    check = parser.parse_args(arguments).check
    stale = pages.stale(schemas.read_nodes())
    for path, text in stale.items():
        print(path.relative_to(schemas.REPOSITORY))
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
