"""Folders that are built once in the user's cache folder and are never incomplete.

Standard library only: `dev.py` uses this before any environment exists.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MARKER = "complete.json"


class CacheError(Exception):
    """A cached folder could not be made ready; the message says why and what to do."""


def cache_root() -> Path:
    """The folder of everything cached, which `INSTANTID_COMPOSE_CACHE` overrides."""
    chosen = os.environ.get("INSTANTID_COMPOSE_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    return _platform_cache() / "instantid-compose"


def _platform_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def key_of(*ingredients: str) -> str:
    """A short name that changes whenever any ingredient does."""
    return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:16]


def build_once(folder: Path, build: Callable[[Path], None]) -> bool:
    """Fills `folder` with `build` unless a whole one is there; True if it was built now.

    The marker is written last, so a folder without one is what an interrupted build left:
    it is removed, here at the next start or at once when `build` does not return.
    Other processes that want the same folder wait for this one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder.with_name(folder.name + ".lock")):
        if is_complete(folder):
            return False
        remove(folder)
        folder.mkdir()
        try:
            build(folder)
            _mark_complete(folder)
        finally:
            if not is_complete(folder):
                remove(folder)
        return True


def is_complete(folder: Path) -> bool:
    """Whether a build of `folder` ran to its end."""
    return (folder / MARKER).is_file()


def _mark_complete(folder: Path) -> None:
    draft = folder / (MARKER + ".draft")
    draft.write_text(json.dumps({"built": time.strftime("%Y-%m-%d %H:%M:%S")}), encoding="utf-8")
    draft.replace(folder / MARKER)


def remove(folder: Path) -> None:
    """Removes `folder` if it exists.

    The marker goes first: a removal that stops half way must not look whole.
    """
    (folder / MARKER).unlink(missing_ok=True)
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise CacheError(
            f"The unfinished folder {folder} could not be removed ({error}). "
            "Close what still uses it, remove it by hand, and run the command again."
        ) from error


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file `path`; the system frees it when the process ends, however it ends."""
    with path.open("a+") as file:
        if not _try_lock(file):
            print(f"Waiting for another run that holds {path}", flush=True)
            while not _try_lock(file):
                time.sleep(0.5)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":

    def _try_lock(file: IO[str]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
