"""What there is on this machine: packages by their metadata, libraries by a try.

The try runs in a process of its own, because a damaged library can end the one that imports it, and
because ComfyUI should not carry ONNX Runtime and insightface for a question.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ..libraries import first_line

LIBRARIES = ("torch", "onnxruntime", "opencv", "insightface")
"""In the order in which they are tried; insightface imports the two before it."""
WATCHED = re.compile(r"(onnxruntime|opencv|insightface|torch$|torch-directml$|numpy$)")
PATIENCE = 300
"""Seconds. A first import from a slow disk, with a virus scanner on it, takes minutes."""
TRY = (
    "import sys; sys.path = [p for p in sys.path if p] + [sys.argv.pop(1)]; "
    "from instantid_core.doctor.import_probe import main; main(sys.argv[1:])"
)
PACK = Path(__file__).resolve().parents[2]

Result = Mapping[str, Any]
"""What `import_probe` says of one library: `version` and more, or `error`."""


@dataclass(frozen=True)
class Machine:
    """The Python that runs ComfyUI and what it has."""

    python: tuple[int, ...] = sys.version_info[:3]
    executable: str = sys.executable
    packages: Mapping[str, str] = field(default_factory=dict)
    """Installed packages that matter here: normalised name to version."""
    libraries: Mapping[str, Result] = field(default_factory=dict)
    """What came of importing each of LIBRARIES."""
    runtime_build: Mapping[str, str] = field(default_factory=dict)
    """The package whose files lie in ONNX Runtime's folder, and the CUDA it was built for."""
    system: str = platform.system()


@dataclass(frozen=True)
class Host:
    """What only ComfyUI knows."""

    version: str | None = None
    """None when no ComfyUI was looked at."""
    model_roots: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    custom_nodes: Sequence[Path] = ()
    """Folders in which custom nodes are installed."""
    unknown: str = ""
    """Why folders that the user configured may be missing here."""
    broken: str = ""
    """What is wrong with the file that names them, if ComfyUI cannot read it either."""


def this_machine() -> Machine:
    """Look at the Python that runs this."""
    return Machine(
        packages=installed_packages(),
        libraries=try_libraries(LIBRARIES),
        runtime_build=runtime_build(),
    )


def installed_packages() -> dict[str, str]:
    """Packages that matter, with versions, without importing any."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        # A damaged entry has no name.
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if WATCHED.match(name):
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def runtime_build() -> dict[str, str]:
    """What the files in ONNX Runtime's folder say they are: its packages overwrite each other."""
    for folder in sys.path:
        path = Path(folder, "onnxruntime", "capi", "build_and_package_info.py")
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        return dict(re.findall(r"^(package_name|cuda_version) = '([^']*)'", text, re.MULTILINE))
    return {}


def try_libraries(names: Sequence[str]) -> dict[str, Result]:
    """Import each in another process. One that ends the process is left out of a second one."""
    results: dict[str, Result] = {}
    while left := [name for name in names if name not in results]:
        lines, end = _run(left)
        for line in lines:
            # Libraries print as they like; what is ours is an object with a library's name.
            if line.startswith('{"library"'):
                told = json.loads(line)
                results[told.pop("library")] = told
        if stopped := next((name for name in left if name not in results), None):
            results[stopped] = {"error": end}
    return results


def _run(names: Sequence[str]) -> tuple[list[str], str]:
    """Lines that the process printed, and how it ended."""
    command = [sys.executable, "-c", TRY, str(PACK), *names]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [], f"importing it took more than {PATIENCE} seconds"
    except OSError as error:
        return [], f"no process could be started to try it: {first_line(error)}"
    last = (done.stderr.strip().splitlines() or [""])[-1][:200]
    end = f"importing it ended Python with exit code {done.returncode}: {last}"
    return done.stdout.splitlines(), end
