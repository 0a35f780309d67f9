"""Parts of a test run, one after another in front of the user, or several at a time.

Standard library only.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from tools.comfyui.environment import REPOSITORY, child_environ, cores, say

from .outcomes import Outcome

MOST_JOBS = 4
"""A suite takes up to 3 GB of memory."""
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Container images set it. Every server that a suite starts would then compile thousands of modules
again, which is two thirds of its start."""


@dataclass(frozen=True)
class Console:
    """A suite's output, and the number of threads that it may compute with."""

    output: IO[bytes] | None = None
    """None for straight to the user."""
    threads: int | None = None
    """None for as many as it likes."""


OPEN = Console()


@dataclass(frozen=True)
class Part:
    """One suite on one host, with one front end."""

    title: str
    run: Callable[[Console], Outcome]
    minutes: float = 0
    """About how long it takes; of several at a time, the longest starts first."""


def fitting_jobs() -> int:
    """Number of suites that this machine runs well at a time."""
    return max(1, min(cores(), MOST_JOBS))


def one_by_one(parts: Sequence[Part]) -> list[Outcome]:
    """Runs them in order, in front of the user."""
    outcomes = []
    for part in parts:
        say(f"\n== {part.title}")
        outcomes.append(part.run(OPEN))
    return outcomes


def at_a_time(parts: Sequence[Part], jobs: int) -> list[Outcome]:
    """Runs `jobs` of them at a time, the longest first.

    Outcomes come in the order of the parts, and so does what they print: each part's output is
    shown when it and all before it have ended.
    """
    threads = max(1, cores() // jobs)
    with ExitStack() as opened, ThreadPoolExecutor(jobs) as pool:
        outputs = [opened.enter_context(tempfile.TemporaryFile()) for _ in parts]
        longest_first = sorted(range(len(parts)), key=lambda place: -parts[place].minutes)
        running = {
            place: pool.submit(_in_background, parts[place], Console(outputs[place], threads))
            for place in longest_first
        }
        outcomes = []
        for place, part in enumerate(parts):
            outcomes.append(running[place].result())
            _show(part.title, outputs[place])
        return outcomes


def _in_background(part: Part, console: Console) -> Outcome:
    say(f"== {part.title} has started")
    outcome = part.run(console)
    say(f"== {part.title} has ended after {outcome.seconds:.0f} s")
    return outcome


def _show(title: str, output: IO[bytes]) -> None:
    output.seek(0)
    text = output.read().decode("utf-8", "replace")
    encoding = sys.stdout.encoding or "utf-8"
    say(f"\n== {title}\n{text.encode(encoding, 'replace').decode(encoding)}")


def call(
    command: Sequence[str], settings: Mapping[str, str] | None = None, console: Console = OPEN
) -> int:
    """Runs `command` in the repository root and returns its exit code.

    settings: further environment variables. ComfyUI's place is passed on in these alone.
    Modules that the command imports are compiled once, whatever this process does.
    """
    environ = child_environ(**(settings or {}))
    if not (settings and "COMFYUI_PATH" in settings):
        environ.pop("COMFYUI_PATH", None)
    environ.pop(NO_BYTECODE, None)
    if console.threads:
        environ.setdefault("OMP_NUM_THREADS", str(console.threads))
    out = console.output
    return subprocess.run(
        command, cwd=REPOSITORY, env=environ, check=False, stdout=out, stderr=out
    ).returncode
