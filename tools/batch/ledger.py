"""Ledger of finished prompts: the folder of results itself.

Results are written into a temporary folder, which is renamed once it is complete and synced to
disk, so a folder OUT/NAME is a finished prompt, however its run ended. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.comfyui.cache import exclusive

from .files import write_synced
from .values import Attempt, BatchError, Item, Result

RESULT = "result.json"
UNFINISHED = ".unfinished"
FAILED = "failed.jsonl"
SUMMARY = "summary.json"
LOGS = ".logs"
RESERVED = (FAILED, SUMMARY)
"""File names in the folder, which prompts may not have."""


class Ledger:
    """The folder of results, with one subfolder per finished prompt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder against other batches and removes unfinished results."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BatchError(
                f"--output should name a folder for the results, and {self.folder} cannot be one: "
                f"{error}."
            ) from error
        with exclusive(self.folder / ".lock"):
            self._clear()
            (self.folder / FAILED).unlink(missing_ok=True)
            yield
            self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)

    def remaining(self, items: Sequence[Item]) -> list[Item]:
        """Items without results. Raises BatchError if a name has results of another prompt."""
        return [item for item in items if not self._is_done(item)]

    def _is_done(self, item: Item) -> bool:
        folder = self.folder / item.name
        if not folder.exists():
            return False
        try:
            found = json.loads((folder / RESULT).read_text(encoding="utf-8"))["prompt_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BatchError(
                f"{folder} should be the results of '{item.name}' (line {item.line}) or not be "
                f"there, but it holds no readable {RESULT}. Choose another --output, or remove it."
            ) from error
        if found != item.digest:
            raise BatchError(
                f"{folder} holds the results of another prompt or other files of the name "
                f"'{item.name}' (line {item.line}). Choose another --output or another name, or "
                "remove the folder to create it again."
            )
        return True

    def log_of(self, worker: str, start: int) -> Path:
        """Log file of a started worker."""
        folder = self.folder / LOGS
        folder.mkdir(exist_ok=True)
        return folder / f"{worker.replace(' ', '-')}.{start}.log"

    def unfinished(self, item: Item, attempt: int) -> Path:
        """Temporary folder of one attempt."""
        return self.folder / UNFINISHED / f"{item.name}.{attempt}"

    def commit(self, attempt: Attempt, result: Result, worker: str) -> None:
        """Makes an attempt's folder the results of its prompt."""
        item, folder = attempt.item, attempt.folder
        entry = {
            "name": item.name,
            "line": item.line,
            "prompt_sha256": item.digest,
            "worker": worker,
            "tries": attempt.number,
            "ending": result.status,
            "words": result.message,
            "seconds": result.seconds,
            "files": result.files,
            "shown": result.shown,
        }
        _write_json(folder / RESULT, entry)
        _fsync_dir(folder)
        folder.rename(self.folder / item.name)
        _fsync_dir(self.folder)

    def record_failure(self, attempt: Attempt, result: Result) -> None:
        """Appends a prompt that could not be done to the list of failures."""
        item = attempt.item
        entry = {
            "name": item.name,
            "line": item.line,
            "tries": attempt.number,
            "ending": result.status,
            "words": result.message,
        }
        with (self.folder / FAILED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def summarise(self, figures: dict[str, Any]) -> Path:
        """Writes the figures of a run; returns the file."""
        path = self.folder / SUMMARY
        _write_json(path, figures)
        return path


def _write_json(path: Path, value: Any) -> None:
    write_synced(path, (json.dumps(value, indent=2) + "\n").encode())


def _fsync_dir(folder: Path) -> None:
    """Syncs the folder's entries to disk; Windows has no such call and does not need it."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
