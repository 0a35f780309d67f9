"""Description of this machine: packages from their metadata, libraries by importing them.

Imports run in another process, because a damaged library can crash it, and because ComfyUI should
not load ONNX Runtime and insightface for a diagnosis.
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
from ..models import installation

LIBRARIES = ("torch", "onnxruntime", "opencv", "insightface")
"""In import order; insightface imports the two before it."""
RELEVANT = re.compile(r"(onnxruntime|opencv|insightface|torch$|torch-directml$|numpy$)")
PROBE_TIMEOUT = 300
"""Seconds. A first import from a slow disk with a virus scanner takes minutes."""
PROBE = (
    "import sys; sys.path = [p for p in sys.path if p] + [sys.argv.pop(1)]; "
    "from instantid_core.doctor.import_probe import main; main(sys.argv[1:])"
)

Result = Mapping[str, Any]
"""Result of `import_probe` for one library: `version` and more, or `error`."""


@dataclass(frozen=True)
class Machine:
    """The Python that runs ComfyUI, and its packages."""

    python: tuple[int, ...] = sys.version_info[:3]
    executable: str = sys.executable
    packages: Mapping[str, str] = field(default_factory=dict)
    """Relevant installed packages: normalised name to version."""
    libraries: Mapping[str, Result] = field(default_factory=dict)
    """Results of importing each of LIBRARIES."""
    runtime_build: Mapping[str, str] = field(default_factory=dict)
    """The package whose files are in ONNX Runtime's folder, and the CUDA it was built for."""
    system: str = platform.system()


@dataclass(frozen=True)
class Host:
    """Facts that only ComfyUI knows."""

    version: str | None = None
    """None when no ComfyUI was inspected."""
    model_roots: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    custom_nodes: Sequence[Path] = ()
    """Folders with installed custom nodes."""
    unknown: str = ""
    """Reason why folders that the user configured may be missing."""
    broken: str = ""
    """Fault of the file that names them, if ComfyUI cannot read it either."""


def this_machine() -> Machine:
    """Description of the current Python."""
    return Machine(
        packages=installed_packages(),
        libraries=probe_libraries(LIBRARIES),
        runtime_build=runtime_build(),
    )


def installed_packages() -> dict[str, str]:
    """Relevant packages with versions, without importing any."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        # A damaged entry has no name.
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if RELEVANT.match(name):
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def runtime_build() -> dict[str, str]:
    """Build information in ONNX Runtime's folder: its packages overwrite each other."""
    for folder in sys.path:
        path = Path(folder, "onnxruntime", "capi", "build_and_package_info.py")
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        return dict(re.findall(r"^(package_name|cuda_version) = '([^']*)'", text, re.MULTILINE))
    return {}


def probe_libraries(names: Sequence[str]) -> dict[str, Result]:
    """Import each in another process; restart without a library that crashed it."""
    results: dict[str, Result] = {}
    while remaining := [name for name in names if name not in results]:
        lines, end = _run_probe(remaining)
        for line in lines:
            # Libraries may print anything; a result is an object with a library's name.
            if line.startswith('{"library"'):
                result = json.loads(line)
                results[result.pop("library")] = result
        if stopped := next((name for name in remaining if name not in results), None):
            results[stopped] = {"error": end}
    return results


def _run_probe(names: Sequence[str]) -> tuple[list[str], str]:
    """Output lines of the process, and the reason why it ended."""
    command = [sys.executable, "-c", PROBE, str(installation.PACK), *names]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [], f"importing it took more than {PROBE_TIMEOUT} seconds"
    except OSError as error:
        return [], f"no process could be started to import it: {first_line(error)}"
    last = (done.stderr.strip().splitlines() or [""])[-1][:200]
    end = f"importing it ended Python with exit code {done.returncode}: {last}"
    return done.stdout.splitlines(), end
