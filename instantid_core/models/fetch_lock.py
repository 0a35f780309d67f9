"""One fetch at a time per file, among all processes that share a folder.

Standard library only. The operating system holds the lock and frees it when the process ends,
however it ends; the file of the lock is removed when the fetch ends.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import DownloadError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
"""Errors of a lock that another process holds; others come from shares without locks."""


@contextmanager
def fetching(target: Path) -> Iterator[None]:
    """Hold the lock of `target`, whose folder is made. Raises DownloadError where another process,
    or another thread of this one, holds it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(target.name + ".part.lock")
    with _opened(path, target) as file:
        try:
            yield
        finally:
            # Before unlocking: otherwise a waiting process could open this file and lock it after
            # it was removed.
            with suppress(OSError):
                path.unlink()
            _unlock(file)
    with suppress(OSError):
        # Windows removes no open file, and whoever has opened it meanwhile keeps it there.
        path.unlink()


def _opened(path: Path, target: Path) -> IO[bytes]:
    """The lock file, locked, and still the one of that name."""
    while True:
        file = path.open("ab")
        if not _try_lock(file):
            file.close()
            raise DownloadError(
                f"{target.name} is being fetched into {target.parent} already, by another ComfyUI "
                "or a command. Wait until it is done there, then look again."
            )
        if _is_there(file, path):
            return file
        file.close()


def _is_there(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in TAKEN
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in TAKEN
        return True

    def _unlock(file: IO[bytes]) -> None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
