"""The readers of files from elsewhere under Atheris, a coverage-guided fuzzer.

Not part of the test run. In the environment of the tests, with Atheris installed beside it:

    PYTHON -m pip install --target DIR atheris
    PYTHONPATH=DIR PYTHON tests/fuzz/fuzz_readers.py -max_total_time=180

Options are libFuzzer's. Every exception that is not one of the pack's refusals ends it, and so does
an allocation of MALLOC_LIMIT. COUNTS names a file for the number of cases (default: none).
"""

import json
import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["instantid_core"]):
    from support.hostile_changes import hostile
    from support.hostile_files import readers

MALLOC_LIMIT = 256
"""Megabytes. The files here have some hundred kilobytes."""
READERS = readers()
NAMES = list(READERS)
SHARED_MEMORY = "/dev/shm"
FOLDER = Path(tempfile.mkdtemp(dir=SHARED_MEMORY if Path(SHARED_MEMORY).is_dir() else None))
COUNTS = os.environ.get("COUNTS")
seen: Counter[str] = Counter()


def attack(data: bytes) -> None:
    """One case. The first byte chooses the reader, and whether the rest is a file or a change."""
    if not data:
        return
    name = NAMES[data[0] % len(NAMES)]
    raw = data[0] // len(NAMES) % 4 == 0
    reader = READERS[name]
    path = FOLDER / "case"
    path.write_bytes(data[1:] if raw else hostile(name, reader.whole, data[1:]))
    accepted = reader.accepts(path)
    seen[f"{name}, {'bytes' if raw else 'changed'}, {'read' if accepted else 'refused'}"] += 1
    if COUNTS and sum(seen.values()) % 500 == 0:
        Path(COUNTS).write_text(json.dumps(seen, indent=1), encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "Duplicate name")
    limits = [f"-malloc_limit_mb={MALLOC_LIMIT}", "-max_len=400", "-len_control=0", "-timeout=60"]
    atheris.Setup([*sys.argv, *limits], attack)
    atheris.Fuzz()
