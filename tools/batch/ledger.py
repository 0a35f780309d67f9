"""What is done: the folder of results is its own ledger.

Results are written into a folder with another name, which gets its real one only when it is whole
and on the disk. So a folder OUT/NAME is a finished prompt, whatever happened to the run that made
it. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.comfyui.cache import exclusive

from .values import BatchError, Item, Outcome

RESULT = "result.json"
UNFINISHED = ".unfinished"
FAILED = "failed.jsonl"
SUMMARY = "summary.json"
LOGS = ".logs"
RESERVED = (FAILED, SUMMARY)
"""Names of files in the folder, so not of prompts."""


class Record:
    """The folder of results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other batches out of the folder, and what an earlier one left unfinished."""
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

    def left(self, items: Sequence[Item]) -> list[Item]:
        """Those that are still to be done. Raises BatchError where a name was something else."""
        return [item for item in items if not self._has(item)]

    def _has(self, item: Item) -> bool:
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
                "remove the folder to have it made anew."
            )
        return True

    def log_of(self, worker: str, start: int) -> Path:
        """Where a started worker writes its log."""
        folder = self.folder / LOGS
        folder.mkdir(exist_ok=True)
        return folder / f"{worker.replace(' ', '-')}.{start}.log"

    def unfinished(self, item: Item, attempt: int) -> Path:
        """A folder name for one attempt, which nothing else writes to."""
        return self.folder / UNFINISHED / f"{item.name}.{attempt}"

    def keep(self, item: Item, folder: Path, outcome: Outcome, worker: str, attempt: int) -> None:
        """Makes an attempt's folder the results of its prompt."""
        told = {
            "name": item.name,
            "line": item.line,
            "prompt_sha256": item.digest,
            "worker": worker,
            "tries": attempt,
            **asdict(outcome),
        }
        _write(folder / RESULT, json.dumps(told, indent=2))
        _settle(folder)
        folder.rename(self.folder / item.name)
        _settle(self.folder)

    def give_up(self, item: Item, outcome: Outcome, attempt: int) -> None:
        """Notes a prompt that could not be done, for people and programs."""
        told = {"name": item.name, "line": item.line, "tries": attempt}
        with (self.folder / FAILED).open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({**told, "ending": outcome.ending, "words": outcome.words}) + "\n"
            )

    def summarise(self, told: dict[str, Any]) -> Path:
        """Writes the figures of a run."""
        path = self.folder / SUMMARY
        _write(path, json.dumps(told, indent=2))
        return path


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Waits until the disk has the folder's entries; Windows has no such call, and no need."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
