"""`dev.py batch` whose every process is killed, and on a disk that fills up.

Results stay whole, and the same command does the rest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.batch_output import finished_prompts
from support.killed_batches import MarkedBatch, shows, survive, write_copies

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]
KILLS, COUNT = 3, 60
SMALL, LARGE = "256k", "64m"
"""Sizes of a file system that 60 results do not fit on, and of one that they do."""


def test_everything_is_killed_and_done_all_the_same(repository: Path, tmp_path: Path) -> None:
    seen = survive(repository, tmp_path, COUNT, KILLS)
    assert (seen.code, seen.damaged, seen.left) == (0, [], [])
    assert max(seen.finished.values()) == 1, "a finished prompt was done again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the results."""
    folder = tmp_path / "results"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up(repository: Path, tmp_path: Path, small_disk: Path) -> None:
    prompts, expected = write_copies(tmp_path, COUNT)
    batch = MarkedBatch(repository, prompts, small_disk)
    with batch.started() as process:
        said, _ = process.communicate()
    done = sorted(path.name for path in small_disk.glob("p*"))
    assert process.returncode == 1
    assert "No space left on device" in said and "What is done is kept. Make room" in said
    assert "Traceback" not in said
    assert 0 < len(done) < COUNT
    assert all(shows(small_disk / name, expected[name]) for name in done)
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(small_disk)], check=True)
    with batch.started() as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    assert sorted(finished_prompts(said)) == sorted(set(expected) - set(done))
    assert all(shows(small_disk / name, picture) for name, picture in expected.items())
