"""Pictures and identity files that prompts name: found on this machine, renamed by content.

On a worker the file name contains a hash of the content, so that no file of the worker's owner is
overwritten, no outdated file is used, and every worker gets the same prompt. Standard library only.
"""

from __future__ import annotations

import copy
import hashlib
import os
from pathlib import Path
from typing import Any, Literal

from instantid_core.models import sha256_of
from tools.comfyui.prompts import Prompt

from .values import Upload

IDENTITY_INPUT = "identity_name"
INPUTS: dict[str, tuple[str, ...]] = {
    IDENTITY_INPUT: ("output/identities", "models/instantid_identities", "identities", "."),
    **dict.fromkeys(("image", "mask", "video", "audio", "file"), ("input", ".")),
}
"""Inputs that name a file, and the folders to search below the folder of files."""
DESTINATIONS: dict[bool, tuple[Literal["input", "output"], str]] = {
    True: ("output", "identities"),
    False: ("input", "batch"),
}
"""Upload destinations: True for identities, False for everything else."""
DIGITS = 16
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".exr"}
VIDEOS = {".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v"}
SOUNDS = {".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac"}
SENT = frozenset({*PICTURES, *VIDEOS, *SOUNDS, ".heic", ".safetensors"})
"""Endings of files that leave this machine. The folder of files may be a home folder."""


class Files:
    """The folder with the files that prompts use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._digests: dict[Path, str] = {}

    def with_uploads(self, prompt: Prompt) -> tuple[Prompt, tuple[Upload, ...]]:
        """The prompt as workers receive it, and the files to upload.

        A name without a local file is left unchanged: the worker may have that file.
        """
        edited, uploads = copy.deepcopy(prompt), {}
        for node in edited.values():
            for name, value in node["inputs"].items():
                upload = self._upload(name, value)
                if upload:
                    below = "" if name == IDENTITY_INPUT else f"{upload.subfolder}/"
                    node["inputs"][name] = below + upload.name
                    uploads[upload.name] = upload
        return edited, tuple(uploads.values())

    def _upload(self, name: str, value: Any) -> Upload | None:
        path = self._find(name, value) if name in INPUTS and isinstance(value, str) else None
        if path is None:
            return None
        digest = self._digest(path)
        kind, subfolder = DESTINATIONS[name == IDENTITY_INPUT]
        new_name = f"{path.stem}-{digest[:DIGITS]}{path.suffix}"
        return Upload(path, digest, kind, subfolder, new_name)

    def _find(self, name: str, value: str) -> Path | None:
        """The file of that name, never one outside the folder."""
        for place in INPUTS[name] if value.strip() and "\0" not in value else ():
            try:
                path = (self.folder / place / value.replace("\\", "/")).resolve()
                if path.is_file() and self._may_be_sent(path):
                    return path
            except (OSError, RuntimeError, ValueError):
                continue  # too long, a loop of links, or text that is no name here
        return None

    def _may_be_sent(self, path: Path) -> bool:
        """Whether it is a picture, video, sound or identity, outside of hidden folders."""
        if not path.is_relative_to(self.folder) or path.suffix.lower() not in SENT:
            return False
        return not any(part.startswith(".") for part in path.relative_to(self.folder).parts)

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = sha256_of(path)
        return self._digests[path]


def write_synced(path: Path, content: bytes) -> None:
    """Writes a file and syncs it to disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
