"""Photos of 24 and 100 megapixels: memory that the nodes need for them, and the time, to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.real_faces import REPOSITORY, Photos

pytestmark = pytest.mark.thorough

MOST_AT_24, MOST_AT_100 = 450, 1100
"""MiB beside the picture that comes in. A margin lies on 400 and 1000, as allocators differ."""


@pytest.fixture(scope="module")
def measured(folder: Path, photos: Photos) -> dict[str, dict[str, dict[str, float]]]:
    """For each size in megapixels, seconds and MiB of each step."""
    name = next(name for name in ("a1", *photos.names) if name in photos.names)
    command = [str(REPOSITORY / "tools" / "run.py"), "tools.bench.large_photos", str(folder), name]
    done = subprocess.run(
        [sys.executable, *command], check=True, capture_output=True, text=True, timeout=900
    )
    found = json.loads(done.stdout.splitlines()[-1])
    for size, steps in found.items():
        for step, figures in steps.items():
            print(f"{size} MP, {step}: {figures['seconds']:.2f} s, {figures['mib']:.0f} MiB")
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_memory_of_a_phone_photo(measured: dict) -> None:
    assert measured["24"]["analyse"]["mib"] < MOST_AT_24


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_memory_of_100_megapixels(measured: dict) -> None:
    assert measured["100"]["analyse"]["mib"] < MOST_AT_100
