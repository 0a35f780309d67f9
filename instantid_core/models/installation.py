"""The user's ComfyUI installation: the folder of main.py, and the Python that runs it.

Standard library only.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from ..errors import InstallationError

PACK = Path(__file__).resolve().parents[2]
"""Folder of this pack."""

# Below the folder that holds main.py: virtual environments, and the portable build's Python.
PYTHONS = (
    "venv/bin/python",
    ".venv/bin/python",
    "venv/Scripts/python.exe",
    ".venv/Scripts/python.exe",
    "../python_embeded/python.exe",
)


class Installation(NamedTuple):
    """A ComfyUI and the Python that runs it."""

    python: Path
    comfyui: Path


def find(folder: Path, python: Path | None) -> Installation:
    """The installation in `folder`, with the given Python or the one found with it."""
    comfyui = find_comfyui(folder.expanduser().resolve())
    return Installation(find_python(comfyui, python), comfyui)


def surrounding() -> Path:
    """The ComfyUI whose custom_nodes holds this pack, or the one named by COMFYUI_PATH."""
    around = PACK.parent.parent
    if PACK.parent.name == "custom_nodes" and (around / "main.py").is_file():
        return around
    if chosen := os.environ.get("COMFYUI_PATH"):
        return Path(chosen)
    raise InstallationError(
        f"{PACK} is not in the custom_nodes folder of a ComfyUI. Name yours with --comfyui DIR."
    )


def find_optional(folder: Path | None) -> Path | None:
    """The ComfyUI in `folder`, or else the surrounding one; None when there is none."""
    if folder:
        return find_comfyui(folder.expanduser().resolve())
    try:
        return find_comfyui(surrounding().expanduser().resolve())
    except InstallationError:
        return None


def python_or_current(comfyui: Path | None, python: Path | None) -> Path:
    """The Python that runs `comfyui`; the current one when none is found."""
    if python:
        # Not resolved, as below.
        return find_python(comfyui or PACK, python)
    try:
        return find_python(comfyui, None) if comfyui else Path(sys.executable)
    except InstallationError:
        return Path(sys.executable)


def find_comfyui(folder: Path) -> Path:
    """The ComfyUI in `folder`, which may also be the portable build's folder."""
    for candidate in (folder, folder / "ComfyUI"):
        if (candidate / "main.py").is_file() and (candidate / "folder_paths.py").is_file():
            return candidate
    raise InstallationError(
        f"--comfyui should name ComfyUI's folder, the one with main.py, but neither {folder} nor "
        f"{folder / 'ComfyUI'} has it."
    )


def find_python(comfyui: Path, python: Path | None) -> Path:
    """The Python that runs `comfyui`; the path may be a symbolic link."""
    # Not resolved: Python finds its virtual environment by the location of the link.
    candidates = [python.expanduser().absolute()] if python else [comfyui / p for p in PYTHONS]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if python:
        raise InstallationError(
            f"--python should name the Python that runs ComfyUI, but {candidates[0]} is not a file."
        )
    places = "; ".join(str(candidate) for candidate in candidates)
    raise InstallationError(
        "No Python that runs your ComfyUI was found; name it with --python FILE. Searched: "
        f"{places}"
    )


def version_of(comfyui: Path) -> str:
    """The release of a ComfyUI according to its source; `unknown` if it is not stated."""
    try:
        text = (comfyui / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    return found[1] if found else "unknown"
