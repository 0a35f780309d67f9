"""A batch whose every process is killed, again and again, counted.

    PYTHON tests/fuzz/kill_batches.py [--kills 20] [--prompts 400]

Needs Linux. The thorough tests do so with fewer kills.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.killed_batches import survive

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Prints the number of whole results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        seen = survive(REPOSITORY, Path(scratch), options.prompts, options.kills)
    twice = [name for name, times in seen.finished.items() if times > 1]
    print(f"{options.prompts - len(seen.damaged)} of {options.prompts} results whole")
    print(f"{len(twice)} reported twice, {len(seen.left)} processes left, exit code {seen.code}")


if __name__ == "__main__":
    main()
