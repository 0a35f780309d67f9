"""Where identities are kept: the model folder for those from elsewhere, the output folder for new
ones."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import folder_paths

from ...instantid_core.errors import SettingError
from ...instantid_core.identity import IdentityFile, Notes, identity_file
from ...instantid_core.types import Extent, IdentityEmbedding
from .paths import register_folders

IDENTITIES = "instantid_identities"
SAVED = "identities"
"""Folder in the output folder."""
EXTENSION = ".safetensors"
PROJECT_FILE = Path(__file__).parents[2] / "pyproject.toml"


def register_identity_folders() -> None:
    """Tell the host about `models/instantid_identities` and `identities` in the output folder."""
    folders = (Path(folder_paths.models_dir, IDENTITIES), _saved_folder())
    register_folders(IDENTITIES, folders, {EXTENSION})


def identity_names() -> list[str]:
    """Identity files, relative to their folder."""
    return folder_paths.get_filename_list(IDENTITIES)


def load(name: str) -> IdentityFile:
    """Read an identity file. Raises IdentityFileError; the host raises when there is none."""
    return identity_file.read(Path(folder_paths.get_full_path_or_raise(IDENTITIES, name)))


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    path = folder_paths.get_full_path(IDENTITIES, name)
    if path is None:
        return "missing"
    status = os.stat(path)
    return f"{status.st_mtime_ns} {status.st_size}"


def save(prefix: str, identity: IdentityEmbedding, source_sizes: tuple[Extent, ...]) -> str:
    """Save under the prefix and the next free number; returns the name within its folder.

    The prefix may name folders below and hold the host's placeholders, such as %year%. Raises
    SettingError for one that is empty or leads elsewhere, and what `identity_file.write` raises.
    """
    _require_inside(prefix)
    folder, stem, counter, below, _ = folder_paths.get_save_image_path(prefix, str(_saved_folder()))
    names = (f"{stem}_{number:05}_{EXTENSION}" for number in itertools.count(counter))
    name = next(name for name in names if not Path(folder, name).exists())
    notes = Notes(source_sizes, _pack_version())
    identity_file.write(Path(folder, name), identity, notes)
    return str(Path(below, name))


def _saved_folder() -> Path:
    return Path(folder_paths.get_output_directory(), SAVED)


def _require_inside(prefix: str) -> None:
    parts = prefix.replace("\\", "/").split("/")
    if not parts[-1].strip() or ".." in parts or Path(prefix).is_absolute():
        raise SettingError(
            f"filename_prefix must be the beginning of a file name, with folders below "
            f"output/{SAVED} before it if you like; found '{prefix}'. An example: people/anna"
        )


def _pack_version() -> str:
    """As the pack's project file says it; the pack is not an installed Python package."""
    try:
        found = re.search(r'^version = "(.+)"', PROJECT_FILE.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else identity_file.UNKNOWN
