"""Inventory of the published files: present, missing, or different.

Standard library only. Finding files costs directory listings; hashing gigabytes is done on demand.
Links to folders are followed as ComfyUI does, and unreadable folders are skipped.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .download import sha256_of
from .manifest import Download, ModelFile

Roots = Mapping[str, Sequence[Path]]
"""Kind of model to its folders; downloads go to the first one."""
IDENTITY_NET_NAMES = re.compile(r"instant[-_ ]?id|identity[-_ ]?net", re.IGNORECASE)
"""Common names of IdentityNet in a folder of ControlNets."""


class State(str, Enum):
    """Result of looking for a file."""

    MISSING = "missing"
    PRESENT = "present"
    """A file of the published size; its hash was not checked."""
    VERIFIED = "verified"
    OTHER = "other"
    """A file of this name with another size or hash."""


@dataclass(frozen=True)
class Found:
    """One file of a download, and its state on this machine."""

    file: ModelFile
    state: State
    path: Path
    """Its path, or the path that a download would write."""
    detail: str = ""
    """For OTHER: the expected and the found size or hash."""


@dataclass(frozen=True)
class Item:
    """One download and the state of its files."""

    download: Download
    files: tuple[Found, ...]
    target: Path
    """The folder of its kind that downloads go to."""

    @property
    def state(self) -> State:
        """The least favourable of its files."""
        order = (State.MISSING, State.OTHER, State.PRESENT, State.VERIFIED)
        return min((found.state for found in self.files), key=order.index)

    @property
    def complete(self) -> bool:
        """Whether all files are present."""
        return self.state in (State.PRESENT, State.VERIFIED)


def scan(downloads: Sequence[Download], roots: Roots, verify: bool = False) -> list[Item]:
    """Look for every file. verify: also hash the files found, which takes seconds per GB."""
    return [_item(download, roots[download.kind], verify) for download in downloads]


def _item(download: Download, roots: Sequence[Path], verify: bool) -> Item:
    found = _side_by_side(download, roots) or _renamed(download, roots)
    files = []
    for file in download.files:
        path = found.get(file.name)
        if path is None:
            files.append(Found(file, State.MISSING, file.path(roots[0])))
        else:
            files.append(_check(file, path, verify))
    return Item(download, tuple(files), roots[0])


def _side_by_side(download: Download, roots: Sequence[Path]) -> dict[str, Path]:
    """The files in the folder that has most of them: they only work in the same folder."""
    names = [file.name for file in download.files]
    best: dict[str, Path] = {}
    for root in roots:
        for below in (download.files[0].folder, *download.also_in):
            present = {name: root / below / name for name in names if is_file(root / below / name)}
            if len(present) > len(best):
                best = present
    return best


def _renamed(download: Download, roots: Sequence[Path]) -> dict[str, Path]:
    """A file of the same type and exact size under another name.

    Face models are found by their names only. For IdentityNet the name has to fit as well: every
    half-precision ControlNet for SDXL has the same size.
    """
    if download.archive:
        return {}
    (file,) = download.files
    for root in roots:
        for path in files_below(root, (Path(file.name).suffix,)):
            if size_of(path) == file.size and may_serve(download, root, path):
                return {file.name: path}
    return {}


def may_serve(download: Download, root: Path, path: Path) -> bool:
    """Whether a file below `root` may belong to this download, judging by its path.

    Only the folder of ControlNets also holds other models.
    """
    if download.kind != "controlnet":
        return True
    return IDENTITY_NET_NAMES.search(path.relative_to(root).as_posix()) is not None


def _check(file: ModelFile, path: Path, verify: bool) -> Found:
    size = size_of(path)
    if size is None:
        # Removed, or made unreadable, since it was found.
        return Found(file, State.MISSING, path)
    if size != file.size:
        detail = f"expected {file.size} bytes, found {size}: a different file"
        return Found(file, State.OTHER, path, detail)
    if not verify:
        return Found(file, State.PRESENT, path)
    digest = sha256_of(path)
    if digest != file.sha256:
        return Found(
            file,
            State.OTHER,
            path,
            f"expected SHA-256 {file.sha256}, found {digest}: a different file",
        )
    return Found(file, State.VERIFIED, path)


def files_below(root: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with these suffixes in `root` and its subfolders, sorted.

    Links to folders are followed: people keep models on another disk, and ComfyUI looks there.
    pathlib does so only from Python 3.13 on. An unreadable folder counts as empty.
    """
    found: list[Path] = []
    top = os.fspath(root)
    # For each folder to visit: its real path and those of its ancestors. A link to one of them
    # would be a cycle; a folder reachable by two paths is listed twice, because the path matters.
    ancestors = {top: frozenset({os.path.realpath(top)})}
    for folder, subfolders, names in os.walk(top, followlinks=True):
        above = ancestors.pop(folder)
        found += (Path(folder, name) for name in names if Path(name).suffix in suffixes)
        real = {name: os.path.realpath(os.path.join(folder, name)) for name in subfolders}
        subfolders[:] = [name for name in subfolders if real[name] not in above]
        ancestors.update({os.path.join(folder, name): above | {real[name]} for name in subfolders})
    return sorted(path for path in found if is_file(path))


def names_in(folder: Path, suffix: str) -> list[str]:
    """File names with this suffix in one folder, sorted; none if it cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(suffix))
    except OSError:
        return []


def size_of(path: Path) -> int | None:
    """Size of a file in bytes; None if it does not exist or cannot be accessed."""
    try:
        status = path.stat()
    except OSError:
        # pathlib's own is_file() raises PermissionError.
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def is_file(path: Path) -> bool:
    """Whether the path is an accessible file."""
    return size_of(path) is not None
