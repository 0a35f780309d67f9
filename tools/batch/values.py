"""What the parts of `dev.py batch` hand each other.

Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tools.comfyui.prompts import Prompt

Ending = Literal["done", "refused", "failed", "lost"]
"""refused: by ComfyUI before it ran. failed: while it ran. lost: the worker did not answer."""


class BatchError(Exception):
    """The batch cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Item:
    """One line of the prompts file, without the prompt itself: a million of them fit in memory."""

    name: str
    line: int
    offset: int
    digest: str
    """Of the prompt as workers get it, files included."""


@dataclass(frozen=True)
class Upload:
    """A file of this machine and where it goes on a worker."""

    path: Path
    sha256: str
    kind: Literal["input", "output"]
    subfolder: str
    name: str


@dataclass(frozen=True)
class Order:
    """One attempt at one prompt."""

    item: Item
    prompt: Prompt
    uploads: tuple[Upload, ...]
    folder: Path
    """Where its files are written until they are whole; made by whoever runs the order."""


@dataclass(frozen=True)
class Outcome:
    """How an order ended."""

    ending: Ending
    words: str = ""
    seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    """File name in the order's folder to its SHA-256."""
    shown: dict[str, Any] = field(default_factory=dict)
    """Node id to what else the node showed, such as text."""
