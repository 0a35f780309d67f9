"""Folders of direction files: the model folder for those from elsewhere, the output folder for new
ones."""

from __future__ import annotations

from ...instantid_core.identity import direction_file
from ...instantid_core.types import Direction
from .saved_files import Shelf, pack_version

SAVED = "directions"
"""Folder in the output folder."""
SHELF = Shelf(
    direction_file.KIND,
    loader="InstantIDLoadDirection",
    choice="direction_name",
    nothing="none saved yet - use InstantID Learn Direction",
    models="instantid_directions",
    saved=SAVED,
    empty="No direction is saved yet",
    first="Run InstantID Learn Direction once with a file name, and choose the direction here.",
    example="looks/glasses",
)


def register_direction_folders() -> None:
    """Register `models/instantid_directions`, and `directions` in the output folder."""
    SHELF.register()


def direction_choices() -> list[str]:
    """Direction files to choose from; where there are none, one entry that says so."""
    return SHELF.choices()


def load(name: str) -> Direction:
    """Read a direction file. Raises DirectionFileError, also for names that are not in the list: a
    wire goes around the choice."""
    return direction_file.read(SHELF.path_of(name))


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    return SHELF.fingerprint(name)


def save(prefix: str, direction: Direction) -> str:
    """Save under the prefix and the next free number; returns the name within its folder.

    The prefix is as for identities. Raises SettingError for one that is empty or leads elsewhere,
    and what `direction_file.write` raises.
    """
    path = SHELF.new_path(prefix)
    direction_file.write(path, direction, pack_version())
    SHELF.announce()
    return str(path.relative_to(SHELF.own_folder))
