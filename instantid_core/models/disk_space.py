"""Whether several downloads fit on their disks together, asked before the first of them starts.

Standard library only. Each download asks for itself once more when its turn comes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DownloadError
from .download import MARGIN, Part, free_bytes, megabytes
from .manifest import Download
from .retrieval import arrives_at


@dataclass(frozen=True)
class Disk:
    """The file system that a download goes to."""

    id: int
    folder: Path
    """A folder on it that is there."""


@dataclass
class _Load:
    """What goes to one disk."""

    folder: Path
    available: int
    needed: int = 0
    titles: list[str] = field(default_factory=list)


def disk_of(folder: Path) -> Disk:
    """The disk of a folder that may not be there yet."""
    # Unlike Path.exists(), this raises nothing for a folder that is closed.
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return Disk(folder.stat().st_dev, folder)


def require_space_for_all(
    wanted: Sequence[tuple[Download, Path]],
    free: Callable[[Path], int] = free_bytes,
    disk: Callable[[Path], Disk] = disk_of,
) -> None:
    """Raise DownloadError unless each disk has room for all that goes to it.

    wanted: downloads with the folders of their kinds. What has come already counts as there.
    """
    loads: dict[int, _Load] = {}
    for item, root in wanted:
        # A folder that nothing can be asked of: the download itself tells what is wrong.
        with suppress(OSError):
            where, size = disk(arrives_at(item, root).parent), missing_bytes(item, root)
            load = loads.setdefault(where.id, _Load(where.folder, free(where.folder)))
            load.needed += size
            load.titles.append(item.title)
    for load in loads.values():
        if load.needed and load.available < load.needed + MARGIN:
            raise DownloadError(
                f"Expected {megabytes(load.needed + MARGIN)} free on the disk of {load.folder} for "
                f"{', '.join(load.titles)}, found {megabytes(load.available)}: make room, choose "
                "fewer of them, or name a folder on another disk in extra_model_paths.yaml."
            )


def missing_bytes(item: Download, root: Path) -> int:
    """Bytes that a download will still write: what an earlier one left is not fetched again."""
    target = arrives_at(item, root)
    here = Part(target).size()
    if item.archive and target.is_file() and target.stat().st_size == item.size:
        here = item.size
    return max(item.size - here, 0) + item.unpacked
