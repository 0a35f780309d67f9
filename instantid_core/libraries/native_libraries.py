"""Native libraries that are cut short, found before they are loaded.

A broken-off download or a full disk leaves a library whose end is missing. Loading it can end the
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
    """Compare libraries with the sizes that pip noted when it installed them.

    packages: names of packages that install into one folder, of which any may be there; a library
    has to have the size that one of them noted. Raises OSError that names the first that is cut.
    """
    noted: dict[Path, set[int]] = {}
    for package in packages:
        for path, size in _libraries(package):
            noted.setdefault(path, set()).add(size)
    for path, sizes in noted.items():
        # One that is not there is the import's to tell.
        if path.is_file() and (found := path.stat().st_size) not in sizes and found < max(sizes):
            raise OSError(f"{path} is cut short: {found} of {max(sizes)} bytes")


def _libraries(package: str) -> Iterator[tuple[Path, int]]:
    try:
        files = metadata.files(package) or ()
    except metadata.PackageNotFoundError:
        return
    for file in files:
        # Versioned libraries are called libx.so.1.
        if file.size and any(ending in file.name for ending in NATIVE):
            yield Path(str(file.locate())), file.size
