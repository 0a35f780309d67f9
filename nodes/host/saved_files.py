"""Folders of the pack's own files: the model folder for those from elsewhere, the output folder for
new ones."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import NamedTuple

import folder_paths

from ...instantid_core.errors import SettingError, is_file_name
from ...instantid_core.identity import UNKNOWN, Kind
from .paths import file_state, register_folders
from .server import send_to_pages

EVENT = "instantid_compose.saved"
"""Tells pages what a loader offers now: its class, its input, and the names of the files."""
EXTENSION = ".safetensors"
DEEPEST = 17
"""Largest number of parts of a prefix, the name included."""
PROJECT_FILE = Path(__file__).parents[2] / "pyproject.toml"


class Shelf(NamedTuple):
    """The folders of one kind of file, and the node that loads it."""

    kind: Kind
    loader: str
    """Class of the node that loads a file."""
    choice: str
    """Its input that names the file."""
    nothing: str
    """The one entry of that input where there is no file."""
    models: str
    """Name of the model folder."""
    saved: str
    """Folder in the output folder."""
    empty: str
    """Words of an error where there is no file at all; `first` says what to do then."""
    first: str
    example: str
    """Of a prefix."""

    @property
    def own_folder(self) -> Path:
        """The folder that new files go to."""
        return Path(folder_paths.get_output_directory(), self.saved)

    def register(self) -> None:
        """Let the host search the model folder, and the one in the output folder."""
        folders = (Path(folder_paths.models_dir, self.models), self.own_folder)
        register_folders(self.models, folders, {EXTENSION})

    def names(self) -> list[str]:
        """Files, relative to their folder."""
        return folder_paths.get_filename_list(self.models)

    def paths(self) -> dict[str, Path]:
        """Files by their names, from a single read of the list; without those deleted since."""
        found = {name: folder_paths.get_full_path(self.models, name) for name in self.names()}
        return {name: Path(path) for name, path in found.items() if path is not None}

    def choices(self) -> list[str]:
        """Files to choose from; where there are none, one entry that says so."""
        return self.names() or [self.nothing]

    def path_of(self, name: str) -> Path:
        """A file in the list. Raises the kind's error for any other name: a wire goes around the
        choice."""
        names, noun = self.names(), self.kind.noun
        path = folder_paths.get_full_path(self.models, name) if name in names else None
        if path is None:
            folders = "; ".join(folder_paths.get_folder_paths(self.models))
            if not names:
                raise self.kind.error(
                    f"{self.empty}: there is no {noun} file in {folders}. {self.first}"
                )
            raise self.kind.error(
                f"Expected the {noun} file '{name}' in {folders}; found none. Save "
                f"{self.kind.a_noun}, or refresh the list of files and choose one of it."
            )
        return Path(path)

    def fingerprint(self, name: str) -> str:
        """Changes when the file does."""
        path = folder_paths.get_full_path(self.models, name)
        return "missing" if path is None else file_state(Path(path))

    def announce(self) -> None:
        """Tell all pages that files, or what they say of themselves, have changed."""
        # The host compares the folder's modification time, which is too coarse for two quick saves.
        folder_paths.filename_list_cache.pop(self.models, None)
        offered = {"node": self.loader, "input": self.choice, "files": self.choices()}
        send_to_pages(EVENT, offered)

    def new_path(self, prefix: str) -> Path:
        """A path with the prefix and the next free number, in the folder for new files.

        The prefix may name folders below and hold the host's placeholders, such as %year%. Raises
        SettingError for one that is empty or leads elsewhere, and the kind's error where its folder
        cannot be made.
        """
        prefix = self._inside(prefix)
        try:
            place = folder_paths.get_save_image_path(prefix, str(self.own_folder))
        except OSError as error:
            raise self.kind.error(
                f"The folder of '{prefix}' cannot be made in {self.own_folder} "
                f"({error.strerror}). Check the name, the free space and the rights of that folder."
            ) from error
        folder, stem, counter, *_ = place
        numbered = (f"{stem}_{number:05}_{EXTENSION}" for number in itertools.count(counter))
        return next(path for name in numbered if not (path := Path(folder, name)).exists())

    def _inside(self, prefix: str) -> str:
        """The prefix with forward slashes. Raises SettingError unless each part is a name that
        every system takes."""
        parts = prefix.replace("\\", "/").split("/")
        if len(parts) > DEEPEST or not all(is_file_name(part) for part in parts):
            raise SettingError(
                f"filename_prefix must be the beginning of a file name, with up to {DEEPEST - 1} "
                f"folders below output/{self.saved} before it if you like, and each name fit for "
                f"every system; found '{prefix}'. An example: {self.example}"
            )
        return "/".join(parts)


def pack_version() -> str:
    """Version in the pack's project file; the pack is not an installed Python package."""
    try:
        found = re.search(r'^version = "(.+)"', PROJECT_FILE.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else UNKNOWN
