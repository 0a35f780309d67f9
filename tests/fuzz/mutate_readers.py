"""A fixed number of hostile files for each reader, counted.

    PYTHON tests/fuzz/mutate_readers.py [--cases 1000] [--first 0]

Stops at the first file that raises anything but a refusal. The unit tests run fewer of them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.hostile_files import readers
from support.mutations import attack

SHARED_MEMORY = Path("/dev/shm")


def main() -> None:
    """One line for each reader."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    total = 0
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name in readers():
            started = time.monotonic()
            seen = attack(name, options.cases, Path(scratch), options.first)
            total += seen.total()
            seconds = time.monotonic() - started
            print(f"{name}: {seen[True]} read, {seen[False]} refused, {seconds:.0f} s", flush=True)
    print(f"{total} files, no other error")


if __name__ == "__main__":
    main()
