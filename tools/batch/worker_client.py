"""Runs orders on one ComfyUI: sends files, follows the prompt, brings back what it saved.

One of these lives in a process of its own for each worker. Nothing here raises: whatever happens
becomes an Outcome.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import time
import urllib.error
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tools.comfyui.client import ClientError, ComfyClient, PromptRefusedError, Run, RunFailedError

from .files import sha256_of
from .values import Order, Outcome, Upload

HEARTBEAT = 60.0  # seconds
REFUSED = 400
"""HTTP status of a prompt in which ComfyUI finds a fault; others are the worker's own trouble."""
TROUBLE = (
    ClientError,
    aiohttp.ClientError,
    asyncio.TimeoutError,
    http.client.HTTPException,
    OSError,
    # Answers of something that is no ComfyUI.
    ValueError,
    KeyError,
)
Entry = Mapping[str, str]


class FileChangedError(Exception):
    """A file is no longer what it was when the batch began."""


class Hand:
    """Works on one ComfyUI.

    output: its output folder where it is the batch's own. Files are deleted there once they are
    brought back and ComfyUI no longer remembers the prompt, so that pictures are not kept twice.
    """

    def __init__(self, url: str, output: Path | None = None) -> None:
        self.client = ComfyClient(url, HEARTBEAT)
        self.output = output
        self._sent: set[tuple[str, str]] = set()
        self._kept: set[Path] = set()

    def ready(self) -> bool:
        """Answers as soon as it can run orders."""
        return True

    def run(self, order: Order) -> Outcome:
        """One attempt. On success the order's folder holds the files, written to the disk."""
        started = time.monotonic()
        try:
            self._send(order.uploads)
            run = self.client.run(order.prompt)
            files = self._fetch(run, order.folder)
        except PromptRefusedError as error:
            return Outcome("refused" if _is_fault(error) else "lost", str(error))
        except (RunFailedError, FileChangedError) as error:
            return Outcome("failed", str(error))
        except TROUBLE as error:
            return Outcome("lost", str(error) or type(error).__name__)
        return Outcome("done", "", time.monotonic() - started, files, texts(run))

    def _send(self, uploads: tuple[Upload, ...]) -> None:
        for upload in uploads:
            key = (upload.subfolder, upload.name)
            if key not in self._sent:
                self.client.upload(
                    upload.name,
                    unchanged(upload),
                    type=upload.kind,
                    subfolder=upload.subfolder,
                    overwrite="true",
                )
                self._sent.add(key)

    def _fetch(self, run: Run, folder: Path) -> dict[str, str]:
        """Brings what a prompt saved, under names that do not depend on the worker."""
        folder.mkdir(parents=True)
        files = {}
        entries = dict(named_entries(run))
        for name, entry in entries.items():
            content = self.client.image(entry)
            write_through(folder / name, content)
            files[name] = sha256_of(content)
        self._forget_earlier(entries)
        return files

    def _forget_earlier(self, entries: Mapping[str, Entry]) -> None:
        """Deletes what the prompt before has left in the worker's own output folder."""
        if self.output is None:
            return
        saved = (entry for entry in entries.values() if entry["type"] == "output")
        kept = {self.output / entry.get("subfolder", "") / entry["filename"] for entry in saved}
        for path in self._kept - kept:
            path.unlink(missing_ok=True)
        self._kept = kept


def _is_fault(error: PromptRefusedError) -> bool:
    cause = error.__cause__
    return not isinstance(cause, urllib.error.HTTPError) or cause.code == REFUSED


def unchanged(upload: Upload) -> bytes:
    """The file's content, which its name on the worker tells. Raises FileChangedError."""
    try:
        content = upload.path.read_bytes()
    except OSError as error:
        raise FileChangedError(f"{upload.path} cannot be read any more: {error}.") from error
    if sha256_of(content) != upload.sha256:
        raise FileChangedError(
            f"{upload.path} has changed while the batch ran. Run the command again."
        )
    return content


def named_entries(run: Run) -> Iterator[tuple[str, Entry]]:
    """Files that a prompt saved, or only showed where it saved none: a name here, the entry there.

    A name is the node's id, a number, and the ending: 9_0.png.
    """
    found = [
        (node, entry)
        for node, shown in run.outputs.items()
        for values in shown.values()
        if isinstance(values, list)
        for entry in values
        if is_file(entry)
    ]
    saved = [(node, entry) for node, entry in found if entry["type"] == "output"]
    counts: dict[str, int] = {}
    for node, entry in saved or found:
        number = counts.setdefault(node, 0)
        counts[node] += 1
        ending = re.sub(r"[^A-Za-z0-9.]", "", Path(entry["filename"]).suffix)
        yield f"{re.sub(r'[^A-Za-z0-9_-]', '_', node)}_{number}{ending}", entry


def is_file(entry: Any) -> bool:
    """Whether an entry of a node's output is a file to fetch."""
    return isinstance(entry, Mapping) and {"filename", "type"} <= entry.keys()


def texts(run: Run) -> dict[str, Any]:
    """What nodes showed beside files, such as the scores of Score Identity."""
    shown = {}
    for node, output in run.outputs.items():
        rest = {
            key: values
            for key, values in output.items()
            if not (isinstance(values, list) and any(map(is_file, values))) and key != "animated"
        }
        if rest:
            shown[node] = rest
    return shown


def write_through(path: Path, content: bytes) -> None:
    """Writes a file and waits until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
