"""Files in model folders, found as ComfyUI finds them: through links, and past what is closed.

Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path


def files_below(root: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with these suffixes in `root` and its folders, sorted.

    Links to folders are followed: people keep models on another disk that way, and ComfyUI looks
    there, while pathlib does not before Python 3.13. A folder that cannot be read holds nothing.
    """
    found: list[Path] = []
    top = os.fspath(root)
    # For each folder to come: the real paths of itself and of those above it. A link to one of
    # them would lead round in a circle; the same folder by two ways is looked at twice, because
    # its name is part of what is told.
    above = {top: frozenset({os.path.realpath(top)})}
    for folder, below, names in os.walk(top, followlinks=True):
        way = above.pop(folder)
        found += (Path(folder, name) for name in names if Path(name).suffix in suffixes)
        real = {name: os.path.realpath(os.path.join(folder, name)) for name in below}
        below[:] = [name for name in below if real[name] not in way]
        above.update({os.path.join(folder, name): way | {real[name]} for name in below})
    return sorted(path for path in found if is_file(path))


def names_in(folder: Path, suffix: str) -> list[str]:
    """Names with this suffix in one folder, sorted; none where it cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(suffix))
    except OSError:
        return []


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where there is none, or none that can be looked at."""
    try:
        told = path.stat()
    except OSError:
        # pathlib's own is_file() lets PermissionError through.
        return None
    return told.st_size if stat.S_ISREG(told.st_mode) else None


def is_file(path: Path) -> bool:
    """Whether there is a file that can be looked at."""
    return size_of(path) is not None
