"""The published files that InstantID needs, and those of its relatives, as listed in
`model_files.json`.

Standard library only, so that `python -m instantid_core models` runs in any Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import SettingError, printable

HOW_TO_GET = (
    "'Get InstantID models' in ComfyUI's menu under Extensions, or 'python -m instantid_core "
    "models' in the pack's folder, downloads the published files."
)
MIRROR_VARIABLE = "INSTANTID_COMPOSE_MIRROR"
"""Environment variable with the base URL of a mirror."""
LIST = Path(__file__).with_name("model_files.json")


@dataclass(frozen=True)
class ModelFile:
    """A file in a model folder."""

    folder: str
    """Relative to the folder of its kind, with forward slashes; empty for that folder itself."""
    name: str
    size: int
    """Bytes."""
    sha256: str

    def path(self, root: Path) -> Path:
        """Its path below a folder of its kind."""
        return root / self.folder / self.name


@dataclass(frozen=True)
class Download:
    """One download, and the files that it contains."""

    id: str
    title: str
    kind: str
    """The host's name for the model folder: instantid, controlnet, insightface."""
    url: str
    size: int
    """Bytes to download."""
    sha256: str
    """Of the downloaded file itself, which may be an archive."""
    licence: str
    source: str
    """URL of the page that describes it."""
    files: tuple[ModelFile, ...]
    archive: bool = False
    also_in: tuple[str, ...] = ()
    """Further folders, relative to that of the kind, in which the pack finds the files."""
    optional: bool = False
    """Of a relative that InstantID itself does not need: fetched only where it is named."""

    @property
    def unpacked(self) -> int:
        """Bytes that the unpacked files need in addition to the archive."""
        return sum(file.size for file in self.files) if self.archive else 0


def published(path: Path = LIST) -> tuple[Download, ...]:
    """The downloads that InstantID needs, as the file `path` lists them."""
    return _listed(path, "downloads", optional=False)


def relatives(path: Path = LIST) -> tuple[Download, ...]:
    """The optional downloads in the file `path`: other adapters, and what belongs to them."""
    return _listed(path, "optional", optional=True)


def _listed(path: Path, group: str, *, optional: bool) -> tuple[Download, ...]:
    listed = json.loads(path.read_text(encoding="utf-8"))
    return tuple(_download(entry, optional) for entry in listed[group])


def _download(entry: dict[str, Any], optional: bool) -> Download:
    files = tuple(ModelFile(**file) for file in entry["files"])
    also_in = tuple(entry.get("also_in", ()))
    return Download(**entry | {"files": files, "also_in": also_in, "optional": optional})


def chosen(downloads: Sequence[Download], ids: Iterable[str]) -> list[Download]:
    """The downloads with these ids, in the order of the list.

    Raises SettingError for an unknown id.
    """
    wanted = list(ids)
    known = [download.id for download in downloads]
    unknown = [ascii(name[:40]) for name in wanted if name not in known]
    if unknown or not wanted:
        raise SettingError(
            f"Expected some of {', '.join(known)}, found {', '.join(unknown[:3]) or 'none'}. "
            "Only the published files of this list can be downloaded."
        )
    return [download for download in downloads if download.id in wanted]


def address(download: Download, mirror: str | None = None) -> str:
    """Address of a download: its published URL, or the same path on a mirror.

    mirror: base URL such as `https://models.example.org/hub`, which replaces scheme and host.
    Raises SettingError when it is not such a URL.
    """
    if not mirror:
        return download.url
    if not _is_base(mirror):
        raise SettingError(
            f"The mirror '{shown_mirror(mirror)}' is not a base URL. Expected something like "
            "https://models.example.org/hub, in letters that addresses have, without a password, ? "
            f"and #. Change or unset {MIRROR_VARIABLE}."
        )
    return mirror.rstrip("/") + urlsplit(download.url).path


def _is_base(mirror: str) -> bool:
    try:
        parts = urlsplit(mirror)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:  # brackets, a port that is no number, a label that is empty or too long
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(host)
        and port != 0
        and "@" not in parts.netloc
        and not parts.query
        and not parts.fragment
        and mirror.isascii()
        and mirror.isprintable()
        and " " not in mirror
    )


def shown_mirror(mirror: str) -> str:
    """Scheme and host of a mirror: before the host there may be a name and a password."""
    scheme, separator, rest = mirror.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    return printable(f"{scheme}{separator}{host}"[:200])
