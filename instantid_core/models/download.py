"""Fetches one file: resumable, verified, and under its own name only when it is whole.

Standard library only. What arrives is written to `NAME.part`, and the validator the server gave
with it (ETag or date) to `NAME.part.tag`, so that a later call goes on where this one stopped.
Two processes that fetch the same file at once spoil each other's `.part`, which the hash notices.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import threading
import urllib.error
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DownloadCancelledError, DownloadError
from .http import Answer, open_url

CHUNK = 1 << 18
"""Bytes per read: small enough that a cancel is heard at once on a slow line."""
MARGIN = 256 << 20
"""Bytes that stay free on the disk beside what is fetched."""
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone when asked again."""
RANGE_REFUSED = 416

Progress = Callable[[int, int], None]
"""Called with the bytes that are there, and the bytes that there will be."""


def free_bytes(folder: Path) -> int:
    """Bytes that the disk of `folder` has left."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Wanted:
    """What to fetch, and how to tell that it has come."""

    url: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Manners:
    """How a download behaves towards a network and a disk that fail."""

    timeout: float = 30.0
    """Seconds without a byte until a connection counts as lost."""
    attempts: int = 5
    """Connections in a row that may bring nothing new."""
    pause: float = 1.0
    """Seconds before the second attempt; they double each time."""
    free: Callable[[Path], int] = free_bytes
    cancelled: threading.Event = field(default_factory=threading.Event)


class _LostError(Exception):
    """A connection that failed in a way that may pass."""


def download(wanted: Wanted, target: Path, progress: Progress, manners: Manners) -> None:
    """Fetch `wanted` into `target`, whose folder is made; an older file there is replaced.

    Raises DownloadError when it cannot be had or is not what was wanted, and
    DownloadCancelledError after `manners.cancelled` was set. `target` is only ever whole.
    """
    part = Part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, wanted.size - min(part.size(), wanted.size), manners.free)
        _complete(wanted, part, progress, manners)
        _verify(wanted, part, manners.cancelled)
        part.finish()
    except OSError as error:
        raise DownloadError(
            f"{target} cannot be written ({error}). Check that the folder is writable and that "
            "the disk has room; what has come so far is kept."
        ) from error


def require_space(folder: Path, size: int, free: Callable[[Path], int] = free_bytes) -> None:
    """Raise DownloadError unless `size` bytes and a margin fit on the disk of `folder`."""
    available = free(folder)
    if available < size + MARGIN:
        raise DownloadError(
            f"Expected {megabytes(size + MARGIN)} free for {folder}, found "
            f"{megabytes(available)}. Make room, or name a folder on another disk in "
            "extra_model_paths.yaml."
        )


def megabytes(size: int) -> str:
    """`1691 MB`, in millions of bytes as download pages count them."""
    return f"{size / 1e6:.0f} MB"


class Part:
    """The unfinished file beside its target."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._tag = target.with_name(target.name + ".part.tag")

    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def tag(self) -> str:
        """The validator that belongs to these bytes, empty when there is none."""
        return self._tag.read_text(encoding="latin-1") if self._tag.is_file() else ""

    def begin(self, tag: str) -> None:
        """Empty the file and note the validator of what comes into it now."""
        self.path.write_bytes(b"")
        self._tag.write_text(tag, encoding="latin-1")

    def discard(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its own name, after its bytes are on the disk."""
        put_in_place(self.path, self.target)
        self._tag.unlink(missing_ok=True)


def put_in_place(written: Path, target: Path) -> None:
    """Rename a finished file so that a power cut leaves the old state or the new one."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(written, target)
    if os.name == "posix":
        # The file has its name by now. Network shares and FUSE know no fsync of a folder and say
        # EINVAL or ENOTSUP; a folder may also be writable and not readable.
        with suppress(OSError):
            _sync_folder(target.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _complete(wanted: Wanted, part: Part, progress: Progress, manners: Manners) -> None:
    """Connect until everything is there, or until that stops helping."""
    failures = 0
    while part.size() != wanted.size:
        before = part.size()
        try:
            _one_connection(wanted, part, progress, manners)
        except _LostError as lost:
            failures = 0 if part.size() > before else failures + 1
            if failures >= manners.attempts:
                raise DownloadError(
                    f"{wanted.url} could not be fetched: {lost}. Tried {failures} times in a row "
                    f"without a new byte; {megabytes(part.size())} of {megabytes(wanted.size)} "
                    "are kept. Check the network and start the download again."
                ) from lost
            pause = manners.pause * 2 ** max(failures - 1, 0)
            if manners.cancelled.wait(pause):
                raise _cancelled(part) from lost


def _one_connection(wanted: Wanted, part: Part, progress: Progress, manners: Manners) -> None:
    have, tag = part.size(), part.tag()
    # Without a validator, or with more than there should be, what is there cannot be trusted.
    if not tag or have > wanted.size:
        part.discard()
        have, tag = 0, ""
    with closing(_ask(wanted, part, manners.timeout)) as answer:
        _require_fit(wanted, answer, have)
        if answer.start and answer.tag != tag:
            part.discard()
            raise _LostError("the file changed on the server meanwhile")
        if not answer.start:
            part.begin(answer.tag)
        _copy(wanted, answer, part, progress, manners.cancelled)
    if part.size() < wanted.size:
        raise _LostError("the connection ended early")


def _ask(wanted: Wanted, part: Part, timeout: float) -> Answer:
    """Connect. Raises _LostError for what may pass and DownloadError for what will not."""
    try:
        return open_url(wanted.url, part.size(), part.tag(), timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == RANGE_REFUSED:
            part.discard()
        elif error.code not in TRANSIENT:
            raise DownloadError(_refused(wanted, error.code)) from error
        raise _LostError(f"the server answers {error.code}") from error
    except urllib.error.URLError as error:
        raise _LostError(str(error.reason)) from error
    except (http.client.HTTPException, OSError) as error:
        raise _LostError(repr(error)) from error


def _refused(wanted: Wanted, status: int) -> str:
    return (
        f"{wanted.url} cannot be had: expected the file, the server answers {status}. If a mirror "
        "is set, it may not have this file; else look at the source page for a new address."
    )


def _require_fit(wanted: Wanted, answer: Answer, have: int) -> None:
    """Refuse an answer that is not the wanted file, before a byte of it is kept."""
    if answer.is_page:
        raise DownloadError(
            f"{wanted.url} should give a model file, and gives a page ({answer.content_type}). "
            "A login page of the network, or a proxy, may stand in between: open the address in "
            "a browser."
        )
    if answer.start not in (0, have):
        raise DownloadError(
            f"{wanted.url} was asked to go on at byte {have} and starts at {answer.start}. "
            "Use another mirror."
        )
    if answer.announced not in (None, wanted.size):
        raise DownloadError(
            f"{wanted.url} should have {wanted.size} bytes, and the server announces "
            f"{answer.announced}. It is another file; use another mirror."
        )


def _copy(
    wanted: Wanted, answer: Answer, part: Part, progress: Progress, cancelled: threading.Event
) -> None:
    done = answer.start
    with part.path.open("ab") as file:
        while chunk := _read(answer):
            done += len(chunk)
            if done > wanted.size:
                break
            file.write(chunk)
            progress(done, wanted.size)
            if cancelled.is_set():
                raise _cancelled(part)
    if done > wanted.size:
        part.discard()
        raise DownloadError(
            f"{wanted.url} should have {wanted.size} bytes and sends more. It is another file; "
            "use another mirror."
        )


def _read(answer: Answer) -> bytes:
    try:
        return answer.read(CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _LostError(f"the connection was lost ({error!r})") from error


def _cancelled(part: Part) -> DownloadCancelledError:
    return DownloadCancelledError(
        f"The download of {part.target.name} was stopped. What has come is kept in {part.path}; "
        "starting it again goes on from there."
    )


def _verify(wanted: Wanted, part: Part, cancelled: threading.Event) -> None:
    found = sha256_of(part.path, cancelled)
    if not found:
        raise _cancelled(part)
    if found != wanted.sha256:
        part.discard()
        raise DownloadError(
            f"{wanted.url} should have the SHA-256 {wanted.sha256}, and what came has {found}. "
            "It was not kept. Try again; if it stays so, use another mirror."
        )


def sha256_of(path: Path, cancelled: threading.Event | None = None) -> str:
    """SHA-256 of a file as hexadecimal digits; empty when `cancelled` was set meanwhile."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            if cancelled is not None and cancelled.is_set():
                return ""
            digest.update(chunk)
    return digest.hexdigest()
