"""Takes named files out of a zip archive, and nothing else, to nowhere else.

Standard library only. An entry's own path decides nothing: a file is found by its last name and
written where the caller says.
"""

from __future__ import annotations

import hashlib
import stat
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import ArchiveError, DownloadCancelledError
from .download import put_in_place
from .manifest import ModelFile

CHUNK = 1 << 20
MOST_ENTRIES = 1000
"""An archive with more is not read on; the published one has six."""


def unpack(
    archive: Path, targets: Mapping[Path, ModelFile], cancelled: threading.Event | None = None
) -> None:
    """Write each target from the archive's entry of the same name, verified, all or none.

    targets: where each file goes. Raises ArchiveError for an archive that is broken, lacks a file,
    has it twice, holds another one, or has entries that point out of it; DownloadCancelledError
    after `cancelled` was set.
    """
    written: dict[Path, Path] = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _entries(archive, opened)
            for target, file in targets.items():
                entry = _only(archive, entries, file)
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(target.name + ".part")
                written[target] = part
                _extract(opened, entry, part, file, cancelled)
        for target, part in written.items():
            put_in_place(part, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveError(
            f"{archive} is not a whole zip archive ({error}). Download it again."
        ) from error
    except RuntimeError as error:  # what zipfile raises for an encrypted entry
        raise ArchiveError(f"{archive} cannot be unpacked: {error}. Download it again.") from error
    finally:
        for part in written.values():
            part.unlink(missing_ok=True)


def _entries(archive: Path, opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = opened.infolist()
    if len(entries) > MOST_ENTRIES:
        raise ArchiveError(
            f"{archive} should have a handful of files and has {len(entries)}. Delete it and "
            "download it again."
        )
    for entry in entries:
        if _escapes(entry.filename):
            raise ArchiveError(
                f"{archive} holds {entry.filename!r}, which points out of the archive. It is not "
                "the published one, and nothing was unpacked. Delete it; use another mirror."
            )
    return entries


def _escapes(name: str) -> bool:
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    return bool(windows.drive or windows.root or posix.root or ".." in windows.parts)


def _only(archive: Path, entries: list[zipfile.ZipInfo], file: ModelFile) -> zipfile.ZipInfo:
    """The entry of this name, in whatever folder of the archive."""
    found = [e for e in entries if not e.is_dir() and PurePosixPath(e.filename).name == file.name]
    if len(found) != 1:
        raise ArchiveError(
            f"{archive} should hold {file.name} once, and holds it {len(found)} times. Delete it "
            "and download it again."
        )
    kind = stat.S_IFMT(found[0].external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(
            f"{archive} holds {file.name} as a link, not as a file. It is not the published one; "
            "use another mirror."
        )
    if found[0].file_size != file.size:
        raise ArchiveError(_other_file(archive, file, f"{found[0].file_size} bytes"))
    return found[0]


def _extract(
    opened: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    part: Path,
    file: ModelFile,
    cancelled: threading.Event | None,
) -> None:
    digest, size = hashlib.sha256(), 0
    with opened.open(entry) as source, part.open("wb") as sink:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            # The size in the directory is a claim; a bomb writes on.
            if size > file.size:
                raise ArchiveError(_other_file(part, file, "more"))
            if cancelled is not None and cancelled.is_set():
                raise DownloadCancelledError(
                    f"Unpacking {file.name} was stopped. Start the download again: the archive "
                    "is kept."
                )
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise ArchiveError(_other_file(part, file, f"SHA-256 {digest.hexdigest()}"))


def _other_file(where: Path, file: ModelFile, found: str) -> str:
    return (
        f"{where}: {file.name} should have {file.size} bytes with SHA-256 {file.sha256}, found "
        f"{found}. It was not kept; use another mirror."
    )
