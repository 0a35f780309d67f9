"""`dev.py batch`: a file of prompts, fanned out to several ComfyUI.

Runs in an environment of its own, which has Ray and no ComfyUI. Workers that it starts have another
Python.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from tools.comfyui.cache import CacheError
from tools.comfyui.environment import Environment, say
from tools.comfyui.server import ServerError

from .files import Files
from .instances import GivenPost, Post, StartedPost, installed_launch, small_launch
from .ledger import FAILED, Record
from .options import OUTPUT, add_options, started
from .progress import Progress
from .prompts import PromptFile
from .ray_pool import RayHands
from .scheduler import Batch, Worker
from .values import BatchError, Item


def main(arguments: Sequence[str]) -> int:
    """Runs the batch and returns the exit code: 0 when every prompt is done."""
    signal.signal(signal.SIGTERM, _leave)
    options = parse(arguments)
    try:
        return run(options)
    except (BatchError, ServerError, CacheError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is done is kept, and the same command does the rest", flush=True)
        return 130


def _leave(_number: int, _frame: object) -> NoReturn:
    # An exception, so that the workers are stopped on the way out.
    sys.exit(143)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Options as `dev.py batch` passes them on; its help describes them."""
    parser = argparse.ArgumentParser(prog="dev.py batch")
    add_options(parser)
    parser.add_argument("--installed", action="store_true")
    parser.add_argument("--host-python", type=Path)
    parser.add_argument("--host-comfyui", type=Path)
    options = parser.parse_args(arguments)
    options.output = options.output or OUTPUT / options.prompts.stem
    options.files = options.files or options.prompts.parent
    return options


def run(options: argparse.Namespace) -> int:
    """Checks everything that can be checked, then works; returns the exit code."""
    file = PromptFile(options.prompts, Files(options.files))
    items = file.items()
    given = [GivenPost(name, url) for name, url in named(options.worker or (), 1)]
    for post in given:
        post.greet()
    record = Record(options.output)
    with record.held():
        left = record.left(items)
        progress = Progress(len(items), len(items) - len(left))
        if left:
            with tempfile.TemporaryDirectory(prefix="instantid-batch-") as scratch:
                posts = [*given, *started_posts(options, record, Path(scratch), len(given))]
                work(options, file, record, posts, progress, left)
        say(progress.summary())
        if progress.failed:
            say(f"What was given up, and why: {options.output / FAILED}")
        say(f"Results {options.output}")
    return 1 if progress.failed else 0


def named(values: Sequence[str] | range, first: int) -> Iterator[tuple[str, str]]:
    """Workers' names beside what they are made from."""
    for number, value in enumerate(values, first):
        yield f"worker {number}", str(value)


def started_posts(
    options: argparse.Namespace, record: Record, scratch: Path, before: int
) -> Iterator[Post]:
    """The workers to start, each with a folder of its own."""
    count = started(options)
    if not count:
        return
    host = Environment(options.host_python, options.host_comfyui)
    launch_of = installed_launch if options.installed else small_launch
    for number, (name, _) in enumerate(named(range(count), before + 1)):
        base = scratch / name.replace(" ", "-")
        base.mkdir()
        launch = launch_of(host, base, number, options.threads)
        yield StartedPost(name, launch, base / "output", partial(record.log_of, name))


def work(
    options: argparse.Namespace,
    file: PromptFile,
    record: Record,
    posts: Sequence[Post],
    progress: Progress,
    left: Sequence[Item],
) -> None:
    """All that is left, on all workers."""
    say(f"{len(left)} of {progress.total} prompts to do, {len(posts)} worker(s) getting ready")
    with RayHands() as hire:
        batch = Batch(file, record, [Worker(post) for post in posts], hire, options.tries, progress)
        # Ray puts a handler of its own in place.
        signal.signal(signal.SIGTERM, _leave)
        try:
            batch.run(left)
        finally:
            record.summarise(progress.figures())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
