"""The command line of `dev.py batch`, for dev.py and for the Python that it hands over to.

Standard library only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tools.comfyui.environment import REPOSITORY

LOCK = REPOSITORY / "tools" / "locks" / "batch.lock"
OUTPUT = REPOSITORY / "output" / "batch"
MOST_WORKERS = 64
PATHS = {
    "files": "folder with the pictures and identities that prompts name, laid out as ComfyUI's "
    "(default: that of PROMPTS)",
    "output": f"folder of the results (default: {OUTPUT}/ and the name of PROMPTS)",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """All options but those that say where the started workers' ComfyUI is."""
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="file, one prompt per line")
    workers = "start so many ComfyUI on this machine (default: 1 where no --worker is given)"
    parser.add_argument("--workers", type=_count(MOST_WORKERS), metavar="N", help=workers)
    worker = "use the ComfyUI that runs there; may be repeated"
    parser.add_argument("--worker", action="append", metavar="URL", help=worker)
    threads = "CPU threads of each started worker (default: what PyTorch takes)"
    parser.add_argument("--threads", type=_count(1024), metavar="N", help=threads)
    tries = "how often a prompt is tried before it is given up (default: 3)"
    parser.add_argument("--tries", type=_count(100), default=3, metavar="N", help=tries)
    for name, words in PATHS.items():
        parser.add_argument(f"--{name}", type=Path, help=words)


def forwarded(options: argparse.Namespace) -> list[str]:
    """The same options as arguments, paths made absolute."""
    arguments = [f"--worker={url}" for url in options.worker or ()]
    values = {name: getattr(options, name) for name in ("workers", "threads", "tries", *PATHS)}
    for name, value in values.items():
        if value is not None:
            text = value.expanduser().resolve() if isinstance(value, Path) else value
            arguments.append(f"--{name}={text}")
    return [*arguments, "--", str(options.prompts.expanduser().resolve())]


def started(options: argparse.Namespace) -> int:
    """How many workers are to be started."""
    if options.workers is None:
        return 0 if options.worker else 1
    return options.workers


def _count(most: int) -> Callable[[str], int]:
    """A type for argparse: a number from 1 to `most`."""

    def number(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a number from 1 to {most}, found '{text}'")
        return int(text)

    return number
