"""Photos of 24 and 100 megapixels: memory that the nodes need for them, and the time, to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.real_faces import REPOSITORY, Photos

pytestmark = pytest.mark.thorough

Figures = dict[str, dict[str, dict[str, float]]]
"""For each size in megapixels and each step, seconds of processor time and MiB at the peak."""
MIB = 2**20
MOST_OVER_SMALL, MOST_AT_100 = 400e6, 1e9
"""Bytes, beside the picture that comes in; the first beyond what a photo of one megapixel takes."""


@pytest.fixture(scope="module")
def measured(folder: Path, photos: Photos) -> Figures:
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
def test_memory_of_a_phone_photo(measured: Figures) -> None:
    large, small = (measured[size]["analyse"]["mib"] for size in ("24", "1"))
    assert (large - small) * MIB < MOST_OVER_SMALL


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_memory_of_100_megapixels(measured: Figures) -> None:
    assert measured["100"]["analyse"]["mib"] * MIB < MOST_AT_100


def test_every_step_is_measured(measured: Figures) -> None:
    """Times are printed to be read; how fast a machine is that runs tests, nobody knows."""
    assert set(measured["24"]) == {"analyse", "crop", "paste", "score"}
