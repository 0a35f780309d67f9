"""From a published download to its files in a model folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ..errors import DownloadCancelledError, DownloadError
from .archives import unpack
from .download import Manners, Progress, Wanted, download, require_space, sha256_of
from .manifest import Download, address


def fetch(
    item: Download, root: Path, mirror: str | None, progress: Progress, manners: Manners
) -> list[Path]:
    """Put the files of a download below `root`, a folder of its kind, and return where they are.

    Files of the same names are replaced, once the new ones are whole. An archive is removed after
    unpacking. Raises DownloadError, ArchiveError, DownloadCancelledError and SettingError.
    """
    wanted = Wanted(address(item, mirror), item.size, item.sha256)
    targets = {file.path(root): file for file in item.files}
    arriving = arrives_at(item, root)
    if not item.archive:
        download(wanted, arriving, progress, manners)
        return [arriving]
    if not _is_whole(wanted, arriving, manners):
        download(wanted, arriving, progress, manners)
    try:
        require_space(arriving.parent, item.unpacked, manners.free)
        unpack(arriving, targets, manners.cancelled)
        arriving.unlink()
    except OSError as error:
        raise DownloadError(
            f"{arriving} cannot be unpacked ({error}). Check that its folder is writable and that "
            "the disk has room; the archive is kept."
        ) from error
    return list(targets)


def arrives_at(item: Download, root: Path) -> Path:
    """Where what is fetched is written: the file itself, or an archive beside what comes out."""
    first = item.files[0].path(root)
    return first.with_name(PurePosixPath(urlsplit(item.url).path).name) if item.archive else first


def _is_whole(wanted: Wanted, archive: Path, manners: Manners) -> bool:
    """Whether an earlier call fetched the archive and did not come to unpack it."""
    if not archive.is_file() or archive.stat().st_size != wanted.size:
        return False
    found = sha256_of(archive, manners.cancelled)
    if not found:
        raise DownloadCancelledError(f"Checking {archive.name} was stopped.")
    return found == wanted.sha256
