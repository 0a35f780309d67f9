"""Retrieval of a published download: from its address to files in a model folder.

Standard library only. Of an archive only the named files are written, and each goes where the
caller says: the paths inside the archive are ignored.
"""

from __future__ import annotations

import errno
import hashlib
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from ..errors import ArchiveError, DownloadCancelledError, DownloadError
from .disk_space import Disk, Requirement, disk_of, free_bytes, require_space
from .download import FileSpec, Part, Progress, RetryPolicy, download, put_in_place, sha256_of
from .fetch_lock import fetching
from .manifest import Download, ModelFile, address

CHUNK = 1 << 20
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(ValueError, LookupError, OverflowError),
)
"""Errors of zipfile for damaged archives."""
MAX_ENTRIES = 1000
"""Larger archives are refused; the published one has six entries."""


def fetch(
    item: Download, root: Path, mirror: str | None, progress: Progress, policy: RetryPolicy
) -> list[Path]:
    """Download the files of `item` below `root`, a folder of its kind, and return their paths.

    Existing files are replaced once the new ones are complete. An archive is removed after
    unpacking. Raises DownloadError, ArchiveError, DownloadCancelledError and SettingError.
    """
    spec = FileSpec(address(item, mirror), item.size, item.sha256)
    arriving = download_path(item, root)
    if not item.archive:
        download(spec, arriving, progress, policy)
        return [arriving]
    if not _is_complete(spec, arriving, policy):
        download(spec, arriving, progress, policy)
    targets = {file.path(root): file for file in item.files}
    try:
        with fetching(arriving):
            unpacked = Requirement(f"the files of {item.title}", arriving.parent, item.unpacked)
            require_space([unpacked], policy.free)
            unpack(arriving, targets, policy.cancelled)
            arriving.unlink()
    except OSError as error:
        raise DownloadError(
            f"{arriving} cannot be unpacked ({error}). Check that its folder is writable and that "
            "the disk has free space; the archive is kept."
        ) from error
    return list(targets)


def download_path(item: Download, root: Path) -> Path:
    """Path that the download is written to: the file itself, or an archive next to its files."""
    first = item.files[0].path(root)
    return first.with_name(PurePosixPath(urlsplit(item.url).path).name) if item.archive else first


def require_space_for(
    downloads: Sequence[tuple[Download, Path]],
    free: Callable[[Path], int] = free_bytes,
    disk: Callable[[Path], Disk] = disk_of,
) -> None:
    """Raise DownloadError unless each disk has space for all downloads that go to it.

    downloads: with the folders of their kinds. Bytes of earlier, unfinished downloads count.
    """
    require_space(_requirements(downloads), free, disk)


def _requirements(downloads: Sequence[tuple[Download, Path]]) -> Iterator[Requirement]:
    for item, root in downloads:
        # A folder without read permission: the download itself reports it.
        with suppress(OSError):
            folder = download_path(item, root).parent
            yield Requirement(item.title, folder, missing_bytes(item, root))


def missing_bytes(item: Download, root: Path) -> int:
    """Bytes that a download has yet to write, unpacked files included."""
    target = download_path(item, root)
    present = Part(target).size()
    if item.archive and target.is_file() and target.stat().st_size == item.size:
        present = item.size
    return max(item.size - present, 0) + item.unpacked


def _is_complete(spec: FileSpec, archive: Path, policy: RetryPolicy) -> bool:
    """Whether an earlier call downloaded the archive without unpacking it."""
    if not archive.is_file() or archive.stat().st_size != spec.size:
        return False
    found = sha256_of(archive, policy.cancelled)
    if not found:
        raise DownloadCancelledError(f"Checking {archive.name} was stopped.")
    return found == spec.sha256


def unpack(
    archive: Path, targets: Mapping[Path, ModelFile], cancelled: threading.Event | None = None
) -> None:
    """Write each target from the archive's entry of the same name, verified; all files or none.

    targets: destination of each file. Raises ArchiveError for an archive that is damaged, lacks a
    file, holds it twice, holds a different one, or has entries that point outside;
    DownloadCancelledError after `cancelled` was set.
    """
    written: dict[Path, Path] = {}
    try:
        with _damage_named(archive):
            with zipfile.ZipFile(archive) as opened:
                entries = _entries(archive, opened)
                for target, file in targets.items():
                    entry = _only_entry(archive, entries, file)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part = target.with_name(target.name + ".part")
                    written[target] = part
                    _extract(opened, entry, part, file, cancelled)
            for target, part in written.items():
                put_in_place(part, target)
    finally:
        for part in written.values():
            part.unlink(missing_ok=True)


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    """Raises ArchiveError for what zipfile raises on an archive that is damaged or encrypted."""
    try:
        yield
    except DAMAGED as error:
        raise ArchiveError(
            f"{archive} is not a complete zip archive ({error}). Download it again."
        ) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # An offset before the beginning of the file.
        raise ArchiveError(
            f"{archive} is not a complete zip archive. Download it again."
        ) from error
    except RuntimeError as error:  # zipfile raises it for an encrypted entry
        raise ArchiveError(f"{archive} cannot be unpacked: {error}. Download it again.") from error


def _entries(archive: Path, opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = opened.infolist()
    if len(entries) > MAX_ENTRIES:
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


def _only_entry(archive: Path, entries: list[zipfile.ZipInfo], file: ModelFile) -> zipfile.ZipInfo:
    """The one entry with the file's name, in any folder of the archive."""
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
        raise ArchiveError(_mismatch(archive, file, f"{found[0].file_size} bytes"))
    return found[0]


def _extract(
    opened: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    part: Path,
    file: ModelFile,
    cancelled: threading.Event | None,
) -> None:
    digest, size = hashlib.sha256(), 0
    part.unlink(missing_ok=True)
    with opened.open(entry) as source, part.open("wb") as sink:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            # The size in the directory is only a claim; a zip bomb exceeds it.
            if size > file.size:
                raise ArchiveError(_mismatch(part, file, "more"))
            if cancelled is not None and cancelled.is_set():
                raise DownloadCancelledError(
                    f"Unpacking {file.name} was stopped. Start the download again: the archive "
                    "is kept."
                )
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise ArchiveError(_mismatch(part, file, f"SHA-256 {digest.hexdigest()}"))


def _mismatch(path: Path, file: ModelFile, found: str) -> str:
    return (
        f"{path}: {file.name} should have {file.size} bytes with SHA-256 {file.sha256}, found "
        f"{found}. It was not kept; use another mirror."
    )
