"""Throughput of `dev.py batch` with 1, 2 and 3 workers on this machine.

The workers are warmed up, so that neither their start nor loading models is measured; each has one
CPU thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tools.batch import example as batch_small
from tools.batch.instances import thread_limits
from tools.comfyui import workspace
from tools.comfyui.environment import REPOSITORY, child_environ, cores
from tools.comfyui.server import HostServer

from .report import Row, Table

WORKERS = 3
PICTURES = 12
SIDE, STEPS = 256, 4
"""Enough work per picture that dispatching takes little time in comparison."""


def batch_table(folder: Path) -> Table:
    """Table of pictures per second, relative to one worker."""
    batch_small.write_identities(folder)
    with ExitStack() as stack:
        urls = [worker(stack, folder / f"worker-{n}") for n in range(WORKERS)]
        for number, url in enumerate(urls):
            throughput(folder, f"warm-{number}", [url], 1)
        rates = {n: throughput(folder, f"{n}", urls[:n], PICTURES) for n in range(1, WORKERS + 1)}
    rows = tuple(
        Row(f"{n} worker" + "s" * (n > 1), rate, "/s", rate / rates[1]) for n, rate in rates.items()
    )
    notes = (
        f"{PICTURES} pictures of {SIDE} x {SIDE} in {STEPS} steps, small models.",
        f"One CPU thread each, on {cores()} core(s): on fewer cores than workers they share them.",
    )
    return Table("Pictures per second of dev.py batch", rows, notes)


def worker(stack: ExitStack, base: Path) -> str:
    """Starts a worker that runs until the stack ends; returns its URL."""
    base.mkdir()
    launch = workspace.small_launch(workspace.current(), base)
    return stack.enter_context(HostServer(replace(launch, environ=thread_limits(1)))).url


def throughput(folder: Path, name: str, urls: list[str], count: int) -> float:
    """Pictures per second of the command on these workers, from the first dispatch on."""
    numbers = range(count) if count > 1 else [1000 + len(name)]
    prompts = {f"p{n}": batch_small.portrait(n, SIDE, STEPS) for n in numbers}
    path = batch_small.write_prompts(folder / f"prompts-{name}.jsonl", prompts)
    output = folder / f"results-{name}"
    command = [sys.executable, str(REPOSITORY / "dev.py"), "batch", str(path)]
    subprocess.run(
        [*command, f"--output={output}", *(f"--worker={url}" for url in urls)],
        env=child_environ(COMFYUI_PATH=os.environ["COMFYUI_PATH"]),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return json.loads((output / "summary.json").read_text(encoding="utf-8"))["per_second"]
