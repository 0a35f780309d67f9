"""Download of one file: resumable, verified, and renamed to its own name only when complete.

Standard library only. Data is written to `NAME.part`, and the server's validator (ETag or date) to
`NAME.part.tag`, so that a later call resumes where this one stopped. A lock of the operating system
keeps a second process from downloading the same file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..errors import DownloadCancelledError, DownloadError
from .disk_space import Requirement, free_bytes, megabytes, require_space
from .fetch_lock import fetching
from .http import (
    Answer,
    Connection,
    HTTPError,
    HTTPException,
    InvalidURL,
    URLError,
    open_url,
    watched,
)

CHUNK = 1 << 18
"""Bytes per read: few enough that cancelling takes effect at once on a slow connection."""
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses worth a retry."""
RANGE_REFUSED = 416

Progress = Callable[[int, int], None]
"""Called with the bytes received so far and in total."""


@dataclass(frozen=True)
class FileSpec:
    """Address, size and hash of a file to download."""

    url: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts, retries and cancellation of a download."""

    timeout: float = 30.0
    """Seconds without data until a connection counts as lost."""
    headers: float = 60.0
    """Seconds until all headers of an answer must have arrived, redirects included."""
    attempts: int = 5
    """Consecutive connections without new data before giving up."""
    pause: float = 1.0
    """Seconds before the second attempt; doubled each time."""
    free: Callable[[Path], int] = free_bytes
    cancelled: threading.Event = field(default_factory=threading.Event)


class TransientError(Exception):
    """A failure that may not occur again on the next attempt."""


def download(spec: FileSpec, target: Path, progress: Progress, policy: RetryPolicy) -> None:
    """Download `spec` to `target`; creates the folder and replaces an existing file.

    Raises DownloadError when the download fails, is not the expected file, or is running in another
    process, and DownloadCancelledError after `policy.cancelled` was set. `target` is never
    incomplete.
    """
    part = Part(target)
    try:
        with fetching(target):
            missing = spec.size - min(part.size(), spec.size)
            require_space([Requirement(target.name, target.parent, missing)], policy.free)
            _complete(spec, part, progress, policy)
            part.finish(_verify(spec, part, policy.cancelled))
    except OSError as error:
        raise DownloadError(
            f"{target} cannot be written ({error}). Check that the folder is writable and that "
            "the disk has free space; the data received so far is kept."
        ) from error


class Part:
    """An incomplete file beside its target."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._tag = target.with_name(target.name + ".part.tag")

    def size(self) -> int:
        """Bytes received so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def tag(self) -> str:
        """The validator of these bytes; empty when there is none."""
        return self._tag.read_text(encoding="latin-1") if self._tag.is_file() else ""

    def begin(self, tag: str) -> None:
        """Create a new file and store the validator of the data that follows.

        The old one is not emptied, because another program may still write to it.
        """
        self.discard()
        self.path.write_bytes(b"")
        self._tag.write_text(tag, encoding="latin-1")

    def discard(self) -> None:
        """Remove the data received so far."""
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def finish(self, verified: os.stat_result) -> None:
        """Sync the file to disk and rename it to its own name.

        verified: status of the file whose hash was correct. Raises DownloadError if another file
        has its name by now.
        """
        found = self.path.stat()
        if not os.path.samestat(found, verified) or found.st_size != verified.st_size:
            raise DownloadError(
                f"{self.path} changed while it was checked: another program writes to it. "
                "End that program and start the download again."
            )
        put_in_place(self.path, self.target)
        self._tag.unlink(missing_ok=True)


def put_in_place(written: Path, target: Path) -> None:
    """Rename a finished file so that a power cut leaves either the old or the new file."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(written, target)
    if os.name == "posix":
        # The file is renamed already. Network shares and FUSE do not support fsync of a folder
        # (EINVAL or ENOTSUP); a folder may also be writable but not readable.
        with suppress(OSError):
            _fsync_dir(target.parent)


def _fsync_dir(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _complete(spec: FileSpec, part: Part, progress: Progress, policy: RetryPolicy) -> None:
    """Connect until all data has arrived, or until retries bring nothing new."""
    failures = 0
    while part.size() != spec.size:
        before = part.size()
        try:
            _download_once(spec, part, progress, policy)
        except TransientError as lost:
            if policy.cancelled.is_set():
                raise _cancelled(part) from lost
            failures = 0 if part.size() > before else failures + 1
            if failures >= policy.attempts:
                raise DownloadError(
                    f"{spec.url} could not be downloaded: {lost}. Tried {failures} times in a row "
                    f"without new data; {megabytes(part.size())} of {megabytes(spec.size)} "
                    "are kept. Check the network and start the download again."
                ) from lost
            pause = policy.pause * 2 ** max(failures - 1, 0)
            if policy.cancelled.wait(pause):
                raise _cancelled(part) from lost


def _download_once(spec: FileSpec, part: Part, progress: Progress, policy: RetryPolicy) -> None:
    have, tag = part.size(), part.tag()
    # Without a validator, or with too many bytes, the existing data cannot be trusted.
    if not tag or have > spec.size:
        part.discard()
        have, tag = 0, ""
    with (
        watched(policy.cancelled, policy.headers) as connection,
        closing(_request(spec, part, policy, connection)) as answer,
    ):
        _require_match(spec, answer, have)
        if answer.start and answer.tag != tag:
            part.discard()
            raise TransientError("the file changed on the server")
        if not answer.start:
            part.begin(answer.tag)
        _receive(spec, answer, part, progress, policy.cancelled)
    if part.size() < spec.size:
        raise TransientError("the connection ended early")


def _request(spec: FileSpec, part: Part, policy: RetryPolicy, connection: Connection) -> Answer:
    """Connect. Raises TransientError for failures worth a retry, DownloadError for others."""
    try:
        return open_url(spec.url, part.size(), part.tag(), policy.timeout, connection)
    except HTTPError as error:
        error.close()
        if error.code == RANGE_REFUSED:
            part.discard()
        elif error.code not in TRANSIENT_STATUSES:
            raise DownloadError(_http_error(spec, error.code)) from error
        raise TransientError(f"the server answered {error.code}") from error
    except URLError as error:
        raise TransientError(_reason(connection, str(error.reason))) from error
    except InvalidURL as error:
        raise _malformed(spec, error) from error
    except (HTTPException, OSError) as error:
        raise TransientError(_reason(connection, repr(error))) from error
    except ValueError as error:
        raise _malformed(spec, error) from error


def _reason(connection: Connection, reason: str) -> str:
    return "the headers of the answer took too long" if connection.is_late else reason


def _malformed(spec: FileSpec, error: Exception) -> DownloadError:
    return DownloadError(
        f"{spec.url}, or the address that it redirects to, is malformed ({error}). Use another "
        "mirror, or check the proxy's address."
    )


def _http_error(spec: FileSpec, status: int) -> str:
    return (
        f"{spec.url} could not be downloaded: the server answered {status}. If a mirror is set, it "
        "may not have this file; otherwise look for a new address on the source page."
    )


def _require_match(spec: FileSpec, answer: Answer, have: int) -> None:
    """Refuse an answer that is not the expected file, before storing any of it."""
    if answer.is_page:
        raise DownloadError(
            f"{spec.url} should be a model file, but the server sent a page "
            f"({answer.content_type}). A login page of the network or a proxy may be in the way: "
            "open the address in a browser."
        )
    if answer.start not in (0, have):
        raise DownloadError(
            f"{spec.url} was expected to resume at byte {have} and starts at {answer.start}. "
            "Use another mirror."
        )
    if answer.announced not in (None, spec.size):
        raise DownloadError(
            f"{spec.url} should have {spec.size} bytes, but the server announces "
            f"{answer.announced}. It is a different file; use another mirror."
        )


def _receive(
    spec: FileSpec, answer: Answer, part: Part, progress: Progress, cancelled: threading.Event
) -> None:
    done = answer.start
    with part.path.open("ab") as file:
        while chunk := _read(answer):
            done += len(chunk)
            if done > spec.size:
                break
            file.write(chunk)
            progress(done, spec.size)
            if cancelled.is_set():
                raise _cancelled(part)
    if done > spec.size:
        part.discard()
        raise DownloadError(
            f"{spec.url} should have {spec.size} bytes but sends more. It is a different file; "
            "use another mirror."
        )


def _read(answer: Answer) -> bytes:
    try:
        return answer.read(CHUNK)
    except (HTTPException, OSError) as error:
        raise TransientError(f"the connection was lost ({error!r})") from error


def _cancelled(part: Part) -> DownloadCancelledError:
    return DownloadCancelledError(
        f"The download of {part.target.name} was stopped. The data received so far is kept "
        f"in {part.path}; starting the download again resumes from there."
    )


def _verify(spec: FileSpec, part: Part, cancelled: threading.Event) -> os.stat_result:
    """Status of the file, whose hash is correct."""
    with part.path.open("rb") as file:
        found, status = _sha256(file, cancelled), os.fstat(file.fileno())
    if not found:
        raise _cancelled(part)
    if found != spec.sha256:
        part.discard()
        raise DownloadError(
            f"{spec.url} should have the SHA-256 {spec.sha256}, but what was downloaded has "
            f"{found} and was deleted. Try again; if that does not help, use another mirror."
        )
    return status


def sha256_of(path: Path, cancelled: threading.Event | None = None) -> str:
    """SHA-256 of a file as hexadecimal digits; empty if `cancelled` was set meanwhile."""
    with path.open("rb") as file:
        return _sha256(file, cancelled)


def _sha256(file: IO[bytes], cancelled: threading.Event | None) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 22):
        if cancelled is not None and cancelled.is_set():
            return ""
        digest.update(chunk)
    return digest.hexdigest()
