"""Virtual environments in which a library of the pack is missing, duplicated or broken.

Standard library only. Each is a real one with an interpreter of its own. What is at stake in it is
really absent, or really installed by pip from the package index; everything else that ComfyUI needs
is linked, package by package, from the environment of the tests, which would take 6 GB otherwise.
They are kept in the cache folder like that environment.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tools.comfyui.cache import CacheError, build_once, cache_root, key_of
from tools.comfyui.environment import LOCK, child_environ, say, venv_python

RUNTIME, GPU_RUNTIME = "onnxruntime", "onnxruntime-gpu"
FORMAT = "1"
"""Increase it when the build procedure changes."""
LINKS = "linked.pth"


def nothing(_python: Path) -> None:
    """For an installation that only lacks something."""


def cpu_only(python: Path) -> None:
    """The CPU build, as pip lays it down."""
    pip(python, "install", "--no-deps", _pinned(RUNTIME))


def gpu_only(python: Path) -> None:
    """The CUDA build, on a machine that has no CUDA."""
    pip(python, "install", "--no-deps", _pinned(GPU_RUNTIME))


def both(python: Path) -> None:
    """Both, in the order of requirements.txt."""
    cpu_only(python)
    gpu_only(python)


def one_of_both_removed(python: Path) -> None:
    """A clean-up that people do: it removes files of the package that stays."""
    both(python)
    pip(python, "uninstall", "-y", RUNTIME)


def cut_short(python: Path) -> None:
    """A download that broke off, or a disk that was full."""
    cpu_only(python)
    (library,) = site_packages(python).glob("onnxruntime/capi/onnxruntime_pybind11_state.*")
    os.truncate(library, library.stat().st_size // 2)


@dataclass(frozen=True)
class Case:
    """One installation that is not perfect."""

    without: tuple[str, ...]
    """Packages that are not linked."""
    then: Callable[[Path], None] = nothing


CASES: Mapping[str, Case] = {
    "cpu": Case((RUNTIME,), cpu_only),
    "gpu": Case((RUNTIME,), gpu_only),
    "both": Case((RUNTIME,), both),
    "one of both removed": Case((RUNTIME,), one_of_both_removed),
    "cut short": Case((RUNTIME,), cut_short),
    "no onnxruntime": Case((RUNTIME,)),
    "no insightface": Case(("insightface",)),
    "no opencv": Case(("opencv-python",)),
    "nothing": Case((RUNTIME, "insightface", "opencv-python")),
}


def ready(name: str) -> Path:
    """The Python of a case, built first if this machine does not have it yet.

    Runs in the environment of the tests, whose packages it links.
    """
    case = CASES[name]
    lock = LOCK.read_text(encoding="utf-8")
    key = key_of(FORMAT, lock, sys.executable, sys.version, *case.without, case.then.__name__)
    folder = cache_root() / f"imperfect-{key}"
    build_once(folder, lambda target: _build(target, case, name))
    return venv_python(folder / "venv")


def _build(folder: Path, case: Case, name: str) -> None:
    say(f"Building the imperfect environment '{name}' (once)")
    venv = folder / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    python = venv_python(venv)
    linked = link_packages(folder / "linked", case.without)
    (site_packages(python) / LINKS).write_text(f"{linked}\n", encoding="utf-8")
    case.then(python)


def link_packages(folder: Path, without: tuple[str, ...]) -> Path:
    """Fills a new folder with links to this Python's packages, but for some."""
    folder.mkdir()
    for path in _top_level(without):
        (folder / path.name).symlink_to(path, target_is_directory=path.is_dir())
    return folder


def _top_level(without: tuple[str, ...]) -> list[Path]:
    """Files and folders of this Python's packages, but for some packages."""
    hidden = {
        file.parts[0] for name in without for file in metadata.files(name) or () if file.parts
    }
    here = site_packages(Path(sys.executable))
    return [
        path
        for path in sorted(here.iterdir())
        if path.name not in hidden and path.suffix != ".pth" and path.name != "__pycache__"
    ]


def site_packages(python: Path) -> Path:
    """Folder of the packages of a virtual environment."""
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run([str(python), "-c", program]).strip())


def pip(python: Path, *arguments: str) -> None:
    """This Python's pip, working on the packages of another one."""
    command = [sys.executable, "-m", "pip", "--python", str(python), *arguments]
    run([*command, *(("--no-compile", "-q") if arguments[0] == "install" else ())])


def _pinned(name: str) -> str:
    """The release of ONNX Runtime that the environment of the tests has."""
    return f"{name}=={metadata.version(RUNTIME)}"


def run(command: list[str]) -> str:
    """Output of a command. Raises CacheError with the end of its error output."""
    done = subprocess.run(command, env=child_environ(), capture_output=True, text=True, check=False)
    if done.returncode:
        last = re.sub(r"\s+", " ", done.stderr)[-600:]
        raise CacheError(f"`{' '.join(command[:6])}` failed: {last}")
    return done.stdout
