"""Small stand-ins for the published files: the same ids, folders and names, a few kilobytes each.

Standard library only.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from instantid_core.models.manifest import LIST, Download, published, relatives

from .model_server import Served, zipped

_BYTES = random.Random(3).randbytes
DETECTOR, RECOGNISER = "scrfd_10g_bnkps.onnx", "glintr100.onnx"
BUFFALO = ("det_10g.onnx", "w600k_r50.onnx")
SMALL = {
    "adapter": _BYTES(150_000),
    "identitynet": _BYTES(250_000),
    DETECTOR: _BYTES(20_000),
    RECOGNISER: _BYTES(60_000),
}
SMALL["face_models"] = zipped(
    {
        f"antelopev2/{name}": content
        for name, content in {
            "genderage.onnx": _BYTES(500),
            DETECTOR: SMALL[DETECTOR],
            RECOGNISER: SMALL[RECOGNISER],
        }.items()
    }
)
SMALL |= {name: _BYTES(30_000 + 1000 * len(name)) for name in BUFFALO}
SMALL["buffalo_l"] = zipped({name: SMALL[name] for name in BUFFALO})
SMALL |= {
    item.id: _BYTES(70_000 + 1000 * number)
    for number, item in enumerate(relatives())
    if not item.archive
}


def write_small_list(path: Path, contents: Mapping[str, bytes] = SMALL) -> None:
    """The published list with the sizes and hashes of the stand-ins.

    contents: what each download, and each file in an archive, holds, by id and by name, in place
    of `SMALL`'s.
    """
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    contents = {**SMALL, **contents}
    for entry in (*listed["downloads"], *listed["optional"]):
        _describe(entry, contents[entry["id"]])
        for file in entry["files"]:
            _describe(file, contents.get(file["name"], contents[entry["id"]]))
    path.write_text(json.dumps(listed), encoding="utf-8")


def _describe(entry: dict[str, object], content: bytes) -> None:
    entry.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def small_downloads(folder: Path, contents: Mapping[str, bytes] = SMALL) -> tuple[Download, ...]:
    """The small downloads that are needed, read from a list in `folder`."""
    return published(_small_list(folder, contents))


def small_relatives(folder: Path) -> tuple[Download, ...]:
    """The optional ones."""
    return relatives(_small_list(folder, SMALL))


def _small_list(folder: Path, contents: Mapping[str, bytes]) -> Path:
    path = folder / "small_files.json"
    write_small_list(path, contents)
    return path


def served_by_mirror(
    downloads: tuple[Download, ...], contents: Mapping[str, bytes] = SMALL
) -> dict[str, Served]:
    """Files that a mirror serves."""
    return {urlsplit(item.url).path: Served(contents[item.id]) for item in downloads}
