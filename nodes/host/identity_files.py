"""Folders of identity files: the model folder for those from elsewhere, the output folder for new
ones."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import folder_paths

from ...instantid_core.errors import IdentityFileError, SettingError, is_file_name
from ...instantid_core.identity import IdentityFile, Notes, identity_file
from ...instantid_core.types import Extent, IdentityEmbedding
from .paths import file_state, register_folders
from .server import running_server

IDENTITIES = "instantid_identities"
EVENT = "instantid_compose.identities"
"""Tells pages that identities were saved, renamed or deleted."""
NO_IDENTITY = "nobody saved yet - use InstantID Save Identity"
"""Choice of identities when there is none."""
SAVED = "identities"
"""Folder in the output folder."""
EXTENSION = ".safetensors"
DEEPEST = 17
"""Parts of a prefix, the name itself among them."""
PROJECT_FILE = Path(__file__).parents[2] / "pyproject.toml"


def register_identity_folders() -> None:
    """Register `models/instantid_identities`, and `identities` in the output folder."""
    folders = (Path(folder_paths.models_dir, IDENTITIES), _saved_folder())
    register_folders(IDENTITIES, folders, {EXTENSION})


def identity_names() -> list[str]:
    """Identity files, relative to their folder."""
    return folder_paths.get_filename_list(IDENTITIES)


def identity_choices() -> list[str]:
    """Identity files to choose from; where there are none, one entry that says so."""
    return identity_names() or [NO_IDENTITY]


def load(name: str) -> IdentityFile:
    """Read an identity file. Raises IdentityFileError, also for names that are not in the list: a
    wire goes around the choice."""
    return identity_file.read(path_of(name))


def path_of(name: str) -> Path:
    """The file of an identity in the list. Raises IdentityFileError for any other name."""
    names = identity_names()
    path = folder_paths.get_full_path(IDENTITIES, name) if name in names else None
    if path is None:
        folders = "; ".join(folder_paths.get_folder_paths(IDENTITIES))
        if not names:
            raise IdentityFileError(
                f"Nobody is saved yet: there is no identity file in {folders}. Run InstantID Save "
                "Identity once, and choose the person here."
            )
        raise IdentityFileError(
            f"Expected the identity file '{name}' in {folders}; found none. Save an identity, or "
            "refresh the list of files and choose one of it."
        )
    return Path(path)


def own_path_of(name: str) -> Path:
    """The same for a file that may be changed: one in the output folder. Raises IdentityFileError
    for those of the model folder, which may belong to several installations."""
    path = path_of(name)
    if not is_own(path):
        raise IdentityFileError(
            f"'{name}' lies in {path.parent}; only identities in {_saved_folder()} are renamed and "
            "deleted from here. Change this one by hand."
        )
    return path


def is_own(path: Path) -> bool:
    """Whether a file lies in the folder that Save Identity writes to."""
    return path.is_relative_to(_saved_folder())


def announce() -> None:
    """Tell all pages that the list of identities, or what it says of one, has changed."""
    # ComfyUI goes by the folder's time, of which two files may have the same.
    folder_paths.filename_list_cache.pop(IDENTITIES, None)
    server = running_server()
    if server is not None:
        server.send_sync(EVENT, {})


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    path = folder_paths.get_full_path(IDENTITIES, name)
    if path is None:
        return "missing"
    return file_state(Path(path))


def save(prefix: str, identity: IdentityEmbedding, source_sizes: tuple[Extent, ...]) -> str:
    """Save under the prefix and the next free number; returns the name within its folder.

    The prefix may name folders below and hold the host's placeholders, such as %year%. Raises
    SettingError for one that is empty or leads elsewhere, and what `identity_file.write` raises.
    """
    prefix = _inside(prefix)
    try:
        place = folder_paths.get_save_image_path(prefix, str(_saved_folder()))
    except OSError as error:
        raise IdentityFileError(
            f"The folder of '{prefix}' cannot be made in {_saved_folder()} ({error.strerror}). "
            "Check the name, the free space and the rights of that folder."
        ) from error
    folder, stem, counter, below, _ = place
    names = (f"{stem}_{number:05}_{EXTENSION}" for number in itertools.count(counter))
    name = next(name for name in names if not Path(folder, name).exists())
    notes = Notes(source_sizes, _pack_version())
    identity_file.write(Path(folder, name), identity, notes)
    announce()
    return str(Path(below, name))


def _saved_folder() -> Path:
    return Path(folder_paths.get_output_directory(), SAVED)


def _inside(prefix: str) -> str:
    """The prefix with forward slashes. Raises SettingError unless each part is a name that every
    system takes."""
    parts = prefix.replace("\\", "/").split("/")
    if len(parts) > DEEPEST or not all(is_file_name(part) for part in parts):
        raise SettingError(
            f"filename_prefix must be the beginning of a file name, with up to {DEEPEST - 1} "
            f"folders below output/{SAVED} before it if you like, and each name fit for every "
            f"system; found '{prefix}'. An example: people/anna"
        )
    return "/".join(parts)


def _pack_version() -> str:
    """As the pack's project file says it; the pack is not an installed Python package."""
    try:
        found = re.search(r'^version = "(.+)"', PROJECT_FILE.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else identity_file.UNKNOWN
