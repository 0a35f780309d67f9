"""`dev.py batch`: runs a file of prompts on several ComfyUI instances.

Runs in its own environment, which has Ray but not ComfyUI. Workers that it starts use another
Python.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from instantid_core.errors import printable
from tools.comfyui.cache import CacheError
from tools.comfyui.console import STOPPED_BY_CTRL_C, exit_on_sigterm
from tools.comfyui.environment import Environment, say
from tools.comfyui.server import ServerError

from .files import Files
from .instances import Instance, LocalInstance, RemoteInstance, installed_launch, small_launch
from .ledger import FAILED, Ledger
from .options import OUTPUT, add_options, local_count
from .progress import Progress
from .prompts import PromptFile
from .ray_pool import RayWorkerPool
from .scheduler import Batch, Worker
from .values import KEPT, BatchError, Item


def main(arguments: Sequence[str]) -> int:
    """Runs the batch and returns the exit code: 0 when every prompt is done."""
    exit_on_sigterm()
    options = parse(arguments)
    try:
        return run(options)
    except (BatchError, ServerError, CacheError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {printable(str(error))}. {KEPT}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; finished results are kept, and the same command does the rest", flush=True)
        return STOPPED_BY_CTRL_C


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parses the options that `dev.py batch` passes on."""
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
    """Validates everything in advance, then runs the batch; returns the exit code."""
    file = PromptFile(options.prompts, Files(options.files))
    items = file.items()
    given = [RemoteInstance(name, url) for name, url in numbered(options.worker or (), 1)]
    for instance in given:
        instance.check()
    ledger = Ledger(options.output)
    with ledger.locked():
        remaining = ledger.remaining(items)
        progress = Progress(len(items), len(items) - len(remaining))
        if remaining:
            with tempfile.TemporaryDirectory(prefix="instantid-batch-") as scratch:
                instances = [*given, *local_instances(options, ledger, Path(scratch), len(given))]
                work(options, file, ledger, instances, progress, remaining)
        say(progress.summary())
        if progress.failed:
            say(f"Failed prompts and reasons: {options.output / FAILED}")
        say(f"Results: {options.output}")
    return 1 if progress.failed else 0


def numbered(values: Sequence[str] | range, first: int) -> Iterator[tuple[str, str]]:
    """Names for workers, paired with the given values."""
    for number, value in enumerate(values, first):
        yield f"worker {number}", str(value)


def local_instances(
    options: argparse.Namespace, ledger: Ledger, scratch: Path, before: int
) -> Iterator[Instance]:
    """Workers to start, each with its own folder."""
    count = local_count(options)
    if not count:
        return
    host = Environment(options.host_python, options.host_comfyui)
    launch_of = installed_launch if options.installed else small_launch
    for number, (name, _) in enumerate(numbered(range(count), before + 1)):
        base = scratch / name.replace(" ", "-")
        base.mkdir()
        launch = launch_of(host, base, number, options.threads)
        yield LocalInstance(name, launch, base / "output", partial(ledger.log_of, name))


def work(
    options: argparse.Namespace,
    file: PromptFile,
    ledger: Ledger,
    instances: Sequence[Instance],
    progress: Progress,
    remaining: Sequence[Item],
) -> None:
    """Runs the remaining prompts on all workers."""
    say(f"{len(remaining)} of {progress.total} prompts to do; preparing {len(instances)} worker(s)")
    with RayWorkerPool() as connect:
        workers = [Worker(instance) for instance in instances]
        batch = Batch(file, ledger, workers, connect, options.tries, progress)
        # Ray has replaced the handler.
        exit_on_sigterm()
        try:
            batch.run(remaining)
        finally:
            ledger.summarise(progress.figures())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
