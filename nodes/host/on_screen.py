"""Sentences and errors of this pack as a browser shows them: without the server's folders.

The page may be open on another machine, and a long path hides the word that matters.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import folder_paths

from ...instantid_core.errors import InstantIDError
from . import paths

SHOWN_MODULE = "InstantID"

log = logging.getLogger(__name__)


def name_errors(kind: type[InstantIDError] = InstantIDError) -> None:
    """Let ComfyUI call the pack's errors `InstantID.NoFaceError`: it writes the module of an
    exception before its name, which is a path where the pack is loaded from a folder."""
    kind.__module__ = SHOWN_MODULE
    for special in kind.__subclasses__():
        name_errors(special)


def without_folders(text: str) -> str:
    """The text with ComfyUI's folders named instead of located: `ComfyUI/models/instantid`."""
    for folder in _folders():
        # Neither a part of a longer path nor the beginning of a longer name.
        whole = r"(?<![\w.-])" + re.escape(str(folder)) + r"(?![\w-]|\.\w)"
        text = re.sub(whole, lambda _, name=folder.name: name, text)
    return text


def shorten(error: InstantIDError) -> None:
    """Take the folders out of an error's sentence, and leave the whole one in the log."""
    whole = str(error)
    error.args = tuple(without_folders(str(part)) for part in error.args)
    if str(error) != whole:
        log.info("In full: %s", whole)


def _folders() -> list[Path]:
    """ComfyUI's folder and the configured ones, outer ones first: replacing an outer one would hide
    those inside it."""
    known = {folder_paths.base_path, folder_paths.models_dir, folder_paths.get_output_directory()}
    folders = {Path(folder) for folder in known}
    folders |= {folder for roots in paths.model_roots().values() for folder in roots}
    return sorted((each for each in folders if each.name), key=lambda each: len(each.parts))
