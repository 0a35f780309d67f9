"""`python -m instantid_core models`: lists the published files and downloads missing ones.

Runs in the Python of that ComfyUI, whose own module knows the model folders. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from ..errors import InstallationError
from ..libraries import IMPORT_FAILURES, first_line
from . import installation
from .comfyui_folders import model_roots
from .disk_space import megabytes
from .download import RetryPolicy
from .inventory import Item, State, scan
from .manifest import LIST, MIRROR_VARIABLE, address, chosen, published, relatives
from .retrieval import fetch, require_space_for

LABELS = {
    State.MISSING: "missing",
    State.PRESENT: "present",
    State.VERIFIED: "present, SHA-256 verified",
    State.OTHER: "a different file",
}
STOPPED = "Stopped. Downloaded data is kept; the same command resumes the download."
BAR_WIDTH = 24
REDRAW = 0.2  # seconds between two progress lines


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    parser.add_argument(
        "--mirror", metavar="URL", default=mirror, help="base URL that replaces the published hosts"
    )
    parser.add_argument("--yes", action="store_true", help="download without asking")
    parser.add_argument(
        "--only",
        action="append",
        metavar="ID",
        help="only this download, which may be optional; may be repeated",
    )
    parser.add_argument("--verify", action="store_true", help="check the SHA-256 of existing files")
    # For tests: a list of small files instead of the published one.
    parser.add_argument("--list", type=Path, default=LIST, help=argparse.SUPPRESS)


def where(options: argparse.Namespace) -> tuple[Path, Path]:
    """The ComfyUI whose files are listed, and the Python that runs it."""
    comfyui = options.comfyui or installation.surrounding()
    # ComfyUI reads extra_model_paths.yaml with it, so a Python that has it will do.
    python = options.python or (Path(sys.executable) if find_spec("yaml") else None)
    found = installation.find(comfyui, python)
    return found.comfyui, found.python


def run(options: argparse.Namespace, comfyui: Path) -> int:
    """List, ask, download; returns the exit code."""
    downloads = (*published(options.list), *relatives(options.list))
    named = chosen(downloads, options.only) if options.only else list(downloads)
    roots = folders_of(comfyui)
    if options.verify:
        print("Reading every file to check its SHA-256", flush=True)
    items = scan(named, roots, options.verify)
    for item in items:
        print(describe(item, options.mirror))
    wanted = [item for item in items if is_wanted(item, is_named=bool(options.only))]
    if not wanted:
        return 0
    if not (options.yes or confirmed(wanted)):
        print("Nothing was downloaded. --yes downloads without asking.")
        return 0
    require_space_for([(item.download, item.target) for item in wanted])
    for item in wanted:
        print(f"\n{item.download.title}", flush=True)
        line = ProgressLine(sys.stdout)
        for path in fetch(item.download, item.target, options.mirror, line, RetryPolicy()):
            print(f"  {path}")
    return 0


def folders_of(comfyui: Path) -> dict[str, list[Path]]:
    """The model folders. Raises InstallationError if this Python cannot find them."""
    try:
        return model_roots(comfyui)
    except IMPORT_FAILURES as error:
        raise InstallationError(
            f"{sys.executable} cannot import {comfyui / 'folder_paths.py'}, which knows the model "
            f"folders ({first_line(error)}). Name the Python that runs this ComfyUI with "
            "--python FILE."
        ) from error


def is_wanted(item: Item, is_named: bool) -> bool:
    """Whether to download it. Only if its id was named, a different file is replaced, and an
    optional one downloaded."""
    if is_named:
        return not item.complete
    return item.state is State.MISSING and not item.download.optional


def describe(item: Item, mirror: str | None) -> str:
    """One entry of the list, on several lines."""
    download = item.download
    lines = [
        f"\n{download.id}: {download.title}, {megabytes(download.size)}, {state_of(item)}",
        *(f"  {found.path}  ({LABELS[found.state]})" for found in item.files),
        *(f"  {found.detail}" for found in item.files if found.detail),
        f"  licence  {download.licence}",
        f"  source   {download.source}",
    ]
    if not item.complete:
        lines.append(f"  from     {address(download, mirror)}")
    if item.state is State.OTHER:
        lines.append(f"  --only {download.id} replaces it with the published file.")
    elif download.optional and not item.complete:
        lines.append(f"  --only {download.id} downloads it.")
    return "\n".join(lines)


def state_of(item: Item) -> str:
    """A download's state in words. What InstantID does not need is not missing."""
    if not item.download.optional:
        return LABELS[item.state]
    absent = "not downloaded" if item.state is State.MISSING else LABELS[item.state]
    return f"optional, {absent}"


def confirmed(wanted: Sequence[Item]) -> bool:
    """Ask at the console; no without a terminal."""
    if not sys.stdin.isatty():
        return False
    size = megabytes(sum(item.download.size for item in wanted))
    names = ", ".join(item.download.id for item in wanted)
    return input(f"\nDownload {names} ({size})? [y/N] ").strip().lower() in ("y", "yes")


class ProgressLine:
    """Redraws one line on a terminal; elsewhere prints a line per tenth."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = 0.0
        self._tenth = -1

    def __call__(self, done: int, total: int) -> None:
        now, tenth = time.monotonic(), 10 * done // total
        if self._stream.isatty():
            if now - self._drawn >= REDRAW or done == total:
                self._drawn = now
                end = "\n" if done == total else ""
                self._stream.write(f"\r  {progress_bar(done, total)}{end}")
        elif tenth != self._tenth:
            self._tenth = tenth
            self._stream.write(f"  {progress_bar(done, total)}\n")
        self._stream.flush()


def progress_bar(done: int, total: int) -> str:
    """`[######......] 845 of 1691 MB`."""
    filled = BAR_WIDTH * done // total
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done / 1e6:.0f} of {megabytes(total)}"
