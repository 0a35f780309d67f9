"""Client of one ComfyUI: uploads files, follows the prompt, downloads the results.

Each worker has one, in its own process. `run` does not raise: every failure becomes a Result.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from instantid_core.errors import printable
from tools.comfyui.client import ClientError, ComfyClient, PromptRefusedError, Run, RunFailedError

from .files import sha256_of_bytes, write_synced
from .values import Attempt, Result, Upload

HEARTBEAT = 60.0  # seconds
REFUSED = 400
"""HTTP status for an invalid prompt; other statuses are faults of the worker."""
CONNECTION_ERRORS = (
    ClientError,
    aiohttp.ClientError,
    asyncio.TimeoutError,
    http.client.HTTPException,
    OSError,
    # Answers of a server that is not ComfyUI, or that lies.
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
MOST_FILES = 1000
"""Of one prompt."""
LONGEST_WORDS = 4000
Entry = Mapping[str, str]


class FileChangedError(Exception):
    """A file has changed since the batch began."""


class UnwritableError(Exception):
    """A result cannot be stored on this machine; another worker would not help."""


class WorkerClient:
    """Runs attempts on one ComfyUI.

    output: its output folder, if the batch owns it. Files there are deleted once they are
    downloaded and ComfyUI no longer caches the prompt, so that pictures are not stored twice.
    """

    def __init__(self, url: str, output: Path | None = None) -> None:
        self.client = ComfyClient(url, HEARTBEAT)
        self.output = output
        self._sent: set[tuple[str, str]] = set()
        self._previous: set[Path] = set()

    def ready(self) -> bool:
        """Returns as soon as it can run attempts."""
        return True

    def run(self, attempt: Attempt) -> Result:
        """Runs one attempt. On success its folder holds the files, synced to disk."""
        started = time.monotonic()
        try:
            self._send(attempt.uploads)
            run = self.client.run(attempt.prompt)
            files = self._fetch(run, attempt.folder)
        except PromptRefusedError as error:
            return Result("refused" if _is_fault(error) else "lost", words(error))
        except (RunFailedError, FileChangedError) as error:
            return Result("failed", words(error))
        except UnwritableError as error:
            return Result("unwritable", words(error))
        except CONNECTION_ERRORS as error:
            return Result("lost", words(error))
        return Result("done", "", time.monotonic() - started, files, texts(run))

    def _send(self, uploads: tuple[Upload, ...]) -> None:
        for upload in uploads:
            key = (upload.subfolder, upload.name)
            if key not in self._sent:
                self.client.upload(
                    upload.name,
                    read_unchanged(upload),
                    type=upload.kind,
                    subfolder=upload.subfolder,
                    overwrite="true",
                )
                self._sent.add(key)

    def _fetch(self, run: Run, folder: Path) -> dict[str, str]:
        """Downloads the files that a prompt saved, under names that do not depend on the worker."""
        with storing(folder):
            folder.mkdir(parents=True)
        files = {}
        entries = dict(named_entries(run))
        if len(entries) > MOST_FILES:
            raise ClientError(
                f"The prompt saved {len(entries)} files, where a batch takes {MOST_FILES} at most."
            )
        for name, entry in entries.items():
            content = self.client.image(entry)
            with storing(folder / name):
                write_synced(folder / name, content)
            files[name] = sha256_of_bytes(content)
        self._delete_previous(entries)
        return files

    def _delete_previous(self, entries: Mapping[str, Entry]) -> None:
        """Deletes files of the previous prompt from the worker's own output folder."""
        if self.output is None:
            return
        saved = (entry for entry in entries.values() if entry["type"] == "output")
        kept = {self.output / entry.get("subfolder", "") / entry["filename"] for entry in saved}
        for path in self._previous - kept:
            path.unlink(missing_ok=True)
        self._previous = kept


def words(error: Exception) -> str:
    """An error's text, which a worker may have chosen: printable, and not a page."""
    lines = str(error)[:LONGEST_WORDS].split("\n")
    return "\n".join(map(printable, lines)) or type(error).__name__


def _is_fault(error: PromptRefusedError) -> bool:
    cause = error.__cause__
    return not isinstance(cause, urllib.error.HTTPError) or cause.code == REFUSED


def read_unchanged(upload: Upload) -> bytes:
    """The file's content. Raises FileChangedError if its hash is not the expected one."""
    try:
        content = upload.path.read_bytes()
    except OSError as error:
        raise FileChangedError(f"{upload.path} can no longer be read: {error}.") from error
    if sha256_of_bytes(content) != upload.sha256:
        raise FileChangedError(
            f"{upload.path} has changed while the batch ran. Run the command again."
        )
    return content


def named_entries(run: Run) -> Iterator[tuple[str, Entry]]:
    """Names and entries of the files that a prompt saved, or of its previews if it saved none.

    A name consists of the node's id, a number, and the extension: 9_0.png. Characters that file
    names cannot have are percent-encoded, so that different ids give different names:
    57%3A9_0.png.
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
        extension = re.sub(r"[^A-Za-z0-9.]", "", Path(entry["filename"]).suffix)
        yield f"{re.sub(r'[^a-z0-9_-]', _quoted, node)}_{number}{extension}", entry


def _quoted(found: re.Match[str]) -> str:
    # Capitals too: some file systems do not tell them from small letters.
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8"))


def is_file(entry: Any) -> bool:
    """Whether an entry of a node's output is a file."""
    return isinstance(entry, Mapping) and {"filename", "type"} <= entry.keys()


def texts(run: Run) -> dict[str, Any]:
    """Output of nodes other than files, such as the scores of Score Identity."""
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


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Raises UnwritableError where this machine refuses to write; a worker is not to blame."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{path} cannot be written: {error}.") from error
