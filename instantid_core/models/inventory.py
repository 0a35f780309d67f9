"""Which of the published files are there, missing, or not what they should be.

Standard library only. Looking costs directory listings; hashing gigabytes is done on demand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .download import sha256_of
from .folders import files_below, is_file, size_of
from .manifest import Download, ModelFile

Roots = Mapping[str, Sequence[Path]]
"""Kind of model to its folders, the one that downloads go to first."""
IDENTITY_NET_NAMES = re.compile(r"instant[-_ ]?id|identity[-_ ]?net", re.IGNORECASE)
"""What people call IdentityNet among their ControlNets."""


class State(str, Enum):
    """What is known of a file."""

    MISSING = "missing"
    PRESENT = "present"
    """A file of the published size; its hash was not looked at."""
    VERIFIED = "verified"
    OTHER = "other"
    """A file of this name that has another size or hash."""


@dataclass(frozen=True)
class Found:
    """One file of a download on this machine."""

    file: ModelFile
    state: State
    path: Path
    """Where it is, or where it would go."""
    detail: str = ""
    """For OTHER: what was expected and what was found."""


@dataclass(frozen=True)
class Item:
    """One download and what there is of it."""

    download: Download
    files: tuple[Found, ...]
    target: Path
    """The folder of its kind that it goes to."""

    @property
    def state(self) -> State:
        """The least favourable of its files."""
        order = (State.MISSING, State.OTHER, State.PRESENT, State.VERIFIED)
        return min((found.state for found in self.files), key=order.index)

    @property
    def complete(self) -> bool:
        """Whether nothing has to be fetched."""
        return self.state in (State.PRESENT, State.VERIFIED)


def take_stock(downloads: Sequence[Download], roots: Roots, verify: bool = False) -> list[Item]:
    """Look for every file. verify: read and hash what is there, which takes seconds per GB."""
    return [_item(download, roots[download.kind], verify) for download in downloads]


def _item(download: Download, roots: Sequence[Path], verify: bool) -> Item:
    found = _together(download, roots) or _renamed(download, roots)
    files = []
    for file in download.files:
        path = found.get(file.name)
        if path is None:
            files.append(Found(file, State.MISSING, file.path(roots[0])))
        else:
            files.append(_judge(file, path, verify))
    return Item(download, tuple(files), roots[0])


def _together(download: Download, roots: Sequence[Path]) -> dict[str, Path]:
    """What the folder with most of the files has of them: they count only side by side."""
    names = [file.name for file in download.files]
    best: dict[str, Path] = {}
    for root in roots:
        for below in (download.files[0].folder, *download.also_in):
            here = {name: root / below / name for name in names if is_file(root / below / name)}
            if len(here) > len(best):
                best = here
    return best


def _renamed(download: Download, roots: Sequence[Path]) -> dict[str, Path]:
    """A file under another name: of the same type, and of the published size to the byte.

    IdentityNet must be called so too: every ControlNet for SDXL in half precision has its size.

    The pack finds face models by their names only, so they have no such copy.
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
    """Whether a file below `root` can be of this download, by what it and its folders are called.

    In a folder of all ControlNets the name alone tells; the other folders hold nothing else.
    """
    if download.kind != "controlnet":
        return True
    return IDENTITY_NET_NAMES.search(path.relative_to(root).as_posix()) is not None


def _judge(file: ModelFile, path: Path, verify: bool) -> Found:
    size = size_of(path)
    if size is None:
        # Removed, or its folder closed, since it was found.
        return Found(file, State.MISSING, path)
    if size != file.size:
        return Found(
            file, State.OTHER, path, f"expected {file.size} bytes, found {size}: another file"
        )
    if not verify:
        return Found(file, State.PRESENT, path)
    digest = sha256_of(path)
    if digest != file.sha256:
        return Found(
            file, State.OTHER, path, f"expected SHA-256 {file.sha256}, found {digest}: another file"
        )
    return Found(file, State.VERIFIED, path)
