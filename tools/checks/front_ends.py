"""Other releases of ComfyUI's front end, for the browser suite; each is unpacked once.

Standard library only: `dev.py` uses this before any environment exists.
"""

import subprocess
import tempfile
import zipfile
from pathlib import Path

from instantid_core.models import sha256_of
from tools.comfyui.cache import CacheError, build_once, is_complete, key_of
from tools.comfyui.environment import say
from tools.comfyui.hosts import only_archive

PACKAGE = "comfyui-frontend-package"
STATIC = "comfyui_frontend_package/static/"
VARIABLE = "INSTANTID_COMPOSE_FRONT_END"
"""Names the folder of another front end to the browser suite."""
NEWEST = "newest"
"""Word for the release that the package index has as its newest."""
TESTED = "1.58.1"
"""The newest release when the suite was last made to pass on it."""
OLDEST = "1.39.19"
"""The release that ComfyUI 0.16.3 comes with; templates have to open on it."""
SHA256 = {
    TESTED: "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9",
    OLDEST: "58343dd79eca371badbe354c12b9bc47c7dc58f7f92243be537e178dfbaf2036",
}
"""Of the wheels that the suite fetches by itself."""


def ready_front_end(python: Path, root: Path, version: str) -> Path:
    """The folder of a release, downloaded first if need be.

    version: such as `1.58.1`, or `newest`. Raises CacheError.
    """
    if version == NEWEST:
        with tempfile.TemporaryDirectory() as scratch:
            return unpacked(download(python, PACKAGE, Path(scratch)), root)
    folder = _place(root, version)
    if is_complete(folder):
        return folder / STATIC
    with tempfile.TemporaryDirectory() as scratch:
        return unpacked(download(python, f"{PACKAGE}=={version}", Path(scratch)), root)


def _place(root: Path, version: str) -> Path:
    return root / f"front-end-{version}-{key_of(PACKAGE, version)}"


def download(python: Path, wanted: str, folder: Path) -> Path:
    """Lets pip place a release in `folder`."""
    say(f"Fetching {wanted}")
    pip = [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    result = subprocess.run(
        [*pip, "--dest", str(folder), wanted], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise CacheError(
            f"pip could not download {wanted}. Check the version, the network and pip's index "
            f"settings. pip said:\n{result.stderr}"
        )
    return only_archive(folder, "*.whl")


def unpacked(wheel: Path, root: Path) -> Path:
    """The front end in a wheel, in a folder of its own under `root`."""
    version = wheel.name.split("-")[1]
    if version in SHA256:
        _verify(wheel, SHA256[version])
    folder = _place(root, version)

    def build(target: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(STATIC)]
            archive.extractall(target, names)
        if not (target / STATIC / "index.html").is_file():
            raise CacheError(f"{wheel.name} should hold {STATIC}index.html, but does not.")

    build_once(folder, build)
    return folder / STATIC


def _verify(wheel: Path, wanted: str) -> None:
    found = sha256_of(wheel)
    if found != wanted:
        raise CacheError(
            f"{wheel.name} should have the SHA-256 {wanted}, but what was downloaded has "
            f"{found}. Nothing of it was unpacked."
        )
