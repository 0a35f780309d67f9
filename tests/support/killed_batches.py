"""Batches whose every process is killed and that are started again, on real ComfyUI workers.

Linux only: processes are found in /proc.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tools.batch import example

from .batch_output import finished_prompts

MARK = "INSTANTID_TEST_BATCH"
PICTURES = 20
SIDE = 24


class Survived(NamedTuple):
    """State of a batch after kills and a last run that went through."""

    finished: Counter[str]
    """How often each prompt was reported as done, over all runs."""
    damaged: list[str]
    """Prompts whose result is missing, or does not show the prompt's picture."""
    left: list[int]
    """Processes of the batch that still live."""
    code: int
    """Exit code of the last run."""


class MarkedBatch:
    """Starts of one `dev.py batch`, whose processes can be found by a mark in their environment."""

    def __init__(self, repository: Path, prompts: Path, output: Path) -> None:
        self.mark = uuid.uuid4().hex
        batch = [str(repository / "dev.py"), "batch", str(prompts), f"--output={output}"]
        self.command = [sys.executable, *batch, "--workers=2", "--threads=1"]
        self.output = output

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        """A run; whatever it has started is killed at the end."""
        with subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=os.environ | {MARK: self.mark},
        ) as process:
            try:
                yield process
            finally:
                self.kill_all()

    def processes(self) -> list[int]:
        """All living processes of the batch, detached ones too."""
        wanted = f"{MARK}={self.mark}".encode()
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if carries(entry, wanted)]

    def kill_all(self) -> None:
        """Sends SIGKILL until nothing of the batch lives."""
        while found := self.processes():
            for number in found:
                try:
                    os.kill(number, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)


def carries(entry: Path, wanted: bytes) -> bool:
    """True for a living process whose environment has this entry."""
    try:
        return wanted in (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        # It has ended meanwhile, or is somebody else's.
        return False


def write_copies(folder: Path, count: int) -> tuple[Path, dict[str, np.ndarray]]:
    """Prompts that copy one of several pictures; returns their file, and pictures by prompt.

    A picture is uint8, (SIDE, SIDE, 3).
    """
    (folder / "input").mkdir(parents=True)
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (PICTURES, SIDE, SIDE, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / "input" / f"photo{number}.png")
    names = [f"p{number:03}" for number in range(count)]
    prompts = {
        name: example.copied(f"photo{number % PICTURES}.png") for number, name in enumerate(names)
    }
    path = example.write_prompts(folder / "prompts.jsonl", prompts)
    return path, {name: pictures[number % PICTURES] for number, name in enumerate(names)}


def survive(repository: Path, folder: Path, count: int, kills: int) -> Survived:
    """Kills every process of a batch of `count` prompts, `kills` times, then lets it end.

    The moments are anywhere between the start and two thirds of the prompts.
    """
    prompts, expected = write_copies(folder, count)
    batch = MarkedBatch(repository, prompts, folder / "results")
    moments = random.Random(0)
    finished: Counter[str] = Counter()
    for _ in range(kills):
        with batch.started() as process:
            done = read_until(process, moments.randrange(2 * count // (3 * kills)))
            # Somewhere in the middle of the next prompts.
            time.sleep(moments.uniform(0.0, 0.3))
        names = finished_prompts(done)
        finished.update(names)
        print(f"killed after {len(names)} prompts", flush=True)
    with batch.started() as process:
        said, _ = process.communicate()
        left = batch.processes()
    finished.update(finished_prompts(said))
    return Survived(finished, damaged(batch.output, expected), left, process.returncode)


def read_until(process: subprocess.Popen[str], count: int) -> str:
    """What a run prints until so many prompts are done, or until it ends."""
    said = ""
    for line in process.stdout or ():
        said += line
        if len(finished_prompts(said)) >= count:
            break
    return said


def damaged(output: Path, expected: dict[str, np.ndarray]) -> list[str]:
    """Names of prompts without exactly one whole picture that is theirs."""
    return [name for name, picture in expected.items() if not shows(output / name, picture)]


def shows(folder: Path, picture: np.ndarray) -> bool:
    """True if a result is one picture with these pixels, and has its record."""
    files = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    if len(files) != 2 or files[1] != "result.json":
        return False
    with Image.open(folder / files[0]) as image:
        return np.array_equal(np.asarray(image.convert("RGB")), picture)
