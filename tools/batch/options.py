"""The command line of `dev.py batch`, shared by dev.py and the Python that runs it.

Standard library only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tools.comfyui.environment import REPOSITORY

LOCK = REPOSITORY / "tools" / "locks" / "batch.lock"
OUTPUT = REPOSITORY / "output" / "batch"
MAX_WORKERS = 64
PATHS = {
    "files": "folder with the pictures and identities that prompts name, laid out as in ComfyUI "
    "(default: the folder of PROMPTS)",
    "output": f"folder of the results (default: {OUTPUT}/ and the name of PROMPTS)",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds all options except those for the ComfyUI of started workers."""
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="file, one prompt per line")
    workers = "number of ComfyUI instances to start on this machine (default: 1 without --worker)"
    parser.add_argument("--workers", type=_count(MAX_WORKERS), metavar="N", help=workers)
    worker = "use the ComfyUI at this address; may be repeated"
    parser.add_argument("--worker", action="append", metavar="URL", help=worker)
    threads = "CPU threads of each started worker (default: PyTorch's own)"
    parser.add_argument("--threads", type=_count(1024), metavar="N", help=threads)
    tries = "number of attempts at a prompt before it is given up (default: 3)"
    parser.add_argument("--tries", type=_count(100), default=3, metavar="N", help=tries)
    for name, text in PATHS.items():
        parser.add_argument(f"--{name}", type=Path, help=text)


def forwarded(options: argparse.Namespace) -> list[str]:
    """The options as command-line arguments, with absolute paths."""
    arguments = [f"--worker={url}" for url in options.worker or ()]
    values = {name: getattr(options, name) for name in ("workers", "threads", "tries", *PATHS)}
    for name, value in values.items():
        if value is not None:
            text = value.expanduser().resolve() if isinstance(value, Path) else value
            arguments.append(f"--{name}={text}")
    return [*arguments, "--", str(options.prompts.expanduser().resolve())]


def local_count(options: argparse.Namespace) -> int:
    """Number of workers to start."""
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
