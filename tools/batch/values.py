"""Values that the parts of `dev.py batch` exchange.

Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tools.comfyui.prompts import Prompt

Status = Literal["done", "refused", "failed", "lost", "unwritable"]
"""refused: by ComfyUI before it ran. failed: while it ran. lost: the worker did not answer.
unwritable: the result could not be stored here, for example on a full disk."""
KEPT = (
    "What is done is kept. Make room on the disk, or see to the rights of the folder, and run the "
    "same command again."
)


class BatchError(Exception):
    """The batch cannot start or continue; the message says why and what to do."""


@dataclass(frozen=True)
class Item:
    """One line of the prompts file, without the prompt itself: a million of them fit in memory."""

    name: str
    line: int
    offset: int
    digest: str
    """Of the prompt as workers receive it, files included."""


@dataclass(frozen=True)
class Upload:
    """A local file and its destination on a worker."""

    path: Path
    sha256: str
    kind: Literal["input", "output"]
    subfolder: str
    name: str


@dataclass(frozen=True)
class Attempt:
    """One attempt at one prompt."""

    item: Item
    prompt: Prompt
    uploads: tuple[Upload, ...]
    folder: Path
    """Receives its files until they are complete; the worker's client creates it."""
    number: int = 1


@dataclass(frozen=True)
class Result:
    """Result of an attempt."""

    status: Status
    message: str = ""
    seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    """File name in the attempt's folder to its SHA-256."""
    shown: dict[str, Any] = field(default_factory=dict)
    """Node id to anything else that the node displayed, such as text."""
