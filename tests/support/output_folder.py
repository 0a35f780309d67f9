"""An output folder that a test has for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import folder_paths

IDENTITIES = "instantid_identities"


@contextmanager
def output_folder(pack: Any, folder: Path) -> Iterator[None]:
    """Make `folder` the host's output folder. Identities in the output folders of other tests are
    out of sight, so that the names of new ones begin at 1."""
    output, known = folder_paths.get_output_directory(), folder_paths.folder_names_and_paths
    places, extensions = known[IDENTITIES]
    others = [place for place in places if Path(place).is_relative_to(output)]
    try:
        folder_paths.set_output_directory(str(folder))
        known[IDENTITIES] = ([place for place in places if place not in others], extensions)
        folder_paths.filename_list_cache.pop(IDENTITIES, None)
        pack.module("nodes.host.identity_files").register_identity_folders()
        yield
    finally:
        known[IDENTITIES] = (places, extensions)
        folder_paths.filename_list_cache.pop(IDENTITIES, None)
        folder_paths.set_output_directory(output)
