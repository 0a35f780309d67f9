"""Folders of identity files: the model folder for those from elsewhere, the output folder for new
ones."""

from __future__ import annotations

from pathlib import Path

from ...instantid_core.errors import IdentityFileError
from ...instantid_core.identity import IdentityFile, Notes, identity_file
from ...instantid_core.types import Extent, IdentityEmbedding
from .saved_files import Shelf, pack_version

SAVED = "identities"
"""Folder in the output folder."""
SHELF = Shelf(
    identity_file.KIND,
    loader="InstantIDLoadIdentity",
    choice="identity_name",
    nothing="nobody saved yet - use InstantID Save Identity",
    models="instantid_identities",
    saved=SAVED,
    empty="Nobody is saved yet",
    first="Run InstantID Save Identity once, and choose the person here.",
    example="people/anna",
)


def register_identity_folders() -> None:
    """Register `models/instantid_identities`, and `identities` in the output folder."""
    SHELF.register()


def identity_names() -> list[str]:
    """Identity files, relative to their folder."""
    return SHELF.names()


def identity_choices() -> list[str]:
    """Identity files to choose from; where there are none, one entry that says so."""
    return SHELF.choices()


def load(name: str) -> IdentityFile:
    """Read an identity file. Raises IdentityFileError, also for names that are not in the list: a
    wire goes around the choice."""
    return identity_file.read(path_of(name))


def path_of(name: str) -> Path:
    """The file of an identity in the list. Raises IdentityFileError for any other name."""
    return SHELF.path_of(name)


def own_path_of(name: str) -> Path:
    """The same for a file that may be changed: one in the output folder. Raises IdentityFileError
    for those of the model folder, which may belong to several installations."""
    path = path_of(name)
    if not is_own(path):
        raise IdentityFileError(
            f"'{name}' lies in {path.parent}; only identities in {SHELF.own_folder} are renamed "
            "and deleted from here. Change this one by hand."
        )
    return path


def is_own(path: Path) -> bool:
    """Whether a file lies in the folder that Save Identity writes to."""
    return path.is_relative_to(SHELF.own_folder)


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    return SHELF.fingerprint(name)


def save(prefix: str, identity: IdentityEmbedding, source_sizes: tuple[Extent, ...]) -> str:
    """Save under the prefix and the next free number; returns the name within its folder.

    The prefix may name folders below and hold the host's placeholders, such as %year%. Raises
    SettingError for one that is empty or leads elsewhere, and what `identity_file.write` raises.
    """
    path = SHELF.new_path(prefix)
    identity_file.write(path, identity, Notes(source_sizes, pack_version()))
    SHELF.announce()
    return str(path.relative_to(SHELF.own_folder))
