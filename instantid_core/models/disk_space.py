"""Free disk space for downloads.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DownloadError

MARGIN = 256 << 20
"""Bytes that must stay free on the disk."""


@dataclass(frozen=True)
class Requirement:
    """Space that a download needs in a folder."""

    title: str
    folder: Path
    """May not exist yet."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Disk:
    """The file system of a folder."""

    id: int
    folder: Path
    """An existing folder on it."""


@dataclass
class _Total:
    """Total space needed on one disk."""

    folder: Path
    available: int
    size: int = 0
    titles: list[str] = field(default_factory=list)


def megabytes(size: int) -> str:
    """`1691 MB`, in millions of bytes as download pages count them."""
    return f"{size / 1e6:.0f} MB"


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`."""
    return shutil.disk_usage(folder).free


def disk_of(folder: Path) -> Disk:
    """The disk of a folder that may not exist yet."""
    # Unlike Path.exists(), this raises nothing for a folder without read permission.
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return Disk(folder.stat().st_dev, folder)


def require_space(
    requirements: Iterable[Requirement],
    free: Callable[[Path], int] = free_bytes,
    disk: Callable[[Path], Disk] = disk_of,
) -> None:
    """Raise DownloadError unless each disk has space for everything that goes to it, and a margin.

    A folder whose disk cannot be queried is skipped: writing to it reports what is wrong.
    """
    totals: dict[int, _Total] = {}
    for required in requirements:
        with suppress(OSError):
            found = disk(required.folder)
            total = totals.setdefault(found.id, _Total(found.folder, free(found.folder)))
            total.size += required.size
            total.titles.append(required.title)
    for total in totals.values():
        if total.size and total.available < total.size + MARGIN:
            raise DownloadError(
                f"Expected {megabytes(total.size + MARGIN)} free on the disk of {total.folder} for "
                f"{', '.join(total.titles)}, found {megabytes(total.available)}: free some space, "
                "download less at a time, or name a folder on another disk in "
                "extra_model_paths.yaml."
            )
