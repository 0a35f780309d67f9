"""A ComfyUI that the user installed: where its main.py is, and which Python runs it.

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
"""The folder of this pack."""

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
    """The installation in `folder`, run by `python` or by the Python found with it."""
    comfyui = find_comfyui(folder.expanduser().resolve())
    return Installation(find_python(comfyui, python), comfyui)


def around_the_pack() -> Path:
    """The ComfyUI whose custom_nodes this checkout lies in, or the one that COMFYUI_PATH names."""
    around = PACK.parent.parent
    if PACK.parent.name == "custom_nodes" and (around / "main.py").is_file():
        return around
    if chosen := os.environ.get("COMFYUI_PATH"):
        return Path(chosen)
    raise InstallationError(
        f"{PACK} lies in no ComfyUI's custom_nodes, so there is none to look into. Name "
        "yours with --comfyui DIR."
    )


def to_look_at(folder: Path | None) -> Path | None:
    """The ComfyUI in `folder`, or the one around the pack; None when neither is there."""
    if folder:
        return find_comfyui(folder.expanduser().resolve())
    try:
        return find_comfyui(around_the_pack().expanduser().resolve())
    except InstallationError:
        return None


def python_or_this(comfyui: Path | None, python: Path | None) -> Path:
    """The Python that runs `comfyui`, or the one that runs this when none is found."""
    if python:
        # Not resolved, as below.
        return find_python(comfyui or PACK, python)
    try:
        return find_python(comfyui, None) if comfyui else Path(sys.executable)
    except InstallationError:
        return Path(sys.executable)


def find_comfyui(folder: Path) -> Path:
    """`folder`, or the ComfyUI inside it when it is the portable build's folder."""
    for candidate in (folder, folder / "ComfyUI"):
        if (candidate / "main.py").is_file() and (candidate / "folder_paths.py").is_file():
            return candidate
    raise InstallationError(
        f"--comfyui should name ComfyUI's folder, the one that holds main.py, but neither {folder}"
        f" nor {folder / 'ComfyUI'} holds it."
    )


def find_python(comfyui: Path, python: Path | None) -> Path:
    """The Python that runs the ComfyUI in `comfyui`, as a path that may be a symbolic link."""
    # Not resolved: a virtual environment is known by where its link lies.
    candidates = [python.expanduser().absolute()] if python else [comfyui / p for p in PYTHONS]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = "".join(f"\n  {candidate}" for candidate in candidates)
    raise InstallationError(
        "No Python that runs your ComfyUI was found; name it with --python FILE. Looked at:"
        f"{places}"
    )


def version_of(comfyui: Path) -> str:
    """The release of a ComfyUI as its source says it; `unknown` where it says nothing."""
    try:
        text = (comfyui / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    return found[1] if found else "unknown"
