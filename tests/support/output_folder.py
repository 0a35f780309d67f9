"""An output folder that a test has for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import folder_paths

OURS = ("instantid_identities", "instantid_directions")
"""Kinds of files that are saved in the output folder."""


@contextmanager
def output_folder(pack: Any, folder: Path) -> Iterator[None]:
    """Make `folder` the host's output folder. Identities and directions in the output folders of
    other tests are out of sight, so that the names of new ones begin at 1."""
    output, known = folder_paths.get_output_directory(), folder_paths.folder_names_and_paths
    kept = {kind: known[kind] for kind in OURS}
    try:
        folder_paths.set_output_directory(str(folder))
        for kind, (places, extensions) in kept.items():
            others = [place for place in places if Path(place).is_relative_to(output)]
            known[kind] = ([place for place in places if place not in others], extensions)
            folder_paths.filename_list_cache.pop(kind, None)
        pack.module("nodes.host.identity_files").register_identity_folders()
        pack.module("nodes.host.direction_files").register_direction_folders()
        yield
    finally:
        for kind, registered in kept.items():
            known[kind] = registered
            folder_paths.filename_list_cache.pop(kind, None)
        folder_paths.set_output_directory(output)
