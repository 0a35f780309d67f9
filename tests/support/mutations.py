"""A fixed number of hostile files for every reader, the same at every run."""

import random
import warnings
from collections import Counter
from pathlib import Path

from support.hostile_changes import hostile
from support.hostile_files import readers

LONGEST = 200


def attack(name: str, cases: int, folder: Path, first: int = 0) -> Counter[bool]:
    """How many of the cases were read (True) and refused (False). What else is raised leaves it,
    with the number of the case.

    first: number of the first case; every number is another file.
    """
    reader, seen, path = readers()[name], Counter[bool](), folder / "hostile"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for number in range(first, first + cases):
            choose = random.Random(f"{name} {number}")
            data = choose.randbytes(choose.randint(1, LONGEST))
            path.write_bytes(data if number % 20 == 0 else hostile(name, reader.whole, data))
            try:
                seen[reader.accepts(path)] += 1
            except Exception as error:
                raise AssertionError(f"case {number} of {name}: {error!r}") from error
    return seen
