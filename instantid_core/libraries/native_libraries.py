"""Detection of truncated native libraries before they are loaded.

An interrupted download or a full disk leaves a library without its end. Loading it can crash the
whole process, ComfyUI included, without an exception to catch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

NATIVE = (".so", ".dll", ".pyd", ".dylib")
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-migraphx",
    "onnxruntime-openvino",
)
OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def require_whole(packages: Iterable[str]) -> None:
    """Compare libraries with the sizes that pip recorded when it installed them.

    packages: names of packages that install into one folder, any of which may be installed; a
    library must have the size that one of them recorded. Raises OSError for a truncated one.
    """
    recorded: dict[Path, set[int]] = {}
    for package in packages:
        for path, size in _libraries(package):
            recorded.setdefault(path, set()).add(size)
    for path, sizes in recorded.items():
        # A missing file is reported by the import itself.
        if path.is_file() and (found := path.stat().st_size) not in sizes and found < max(sizes):
            raise OSError(f"{path} is truncated: {found} of {max(sizes)} bytes")


def _libraries(package: str) -> Iterator[tuple[Path, int]]:
    try:
        files = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        return
    for file in files:
        # Versioned libraries have names like libx.so.1.
        if file.size and any(ending in file.name for ending in NATIVE):
            yield Path(str(file.locate())), file.size
