"""Commands that repair an installation, as errors and the Doctor tell them.

Standard library only.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable

INSIGHTFACE = "insightface>=1.0"
OPENCV = "opencv-python"
CPU_RUNTIME = "onnxruntime"
GPU_RUNTIME = "onnxruntime-gpu"
LAST_FOR_CUDA_12 = "onnxruntime-gpu<1.27"
"""From 1.27 on the package is built for CUDA 13."""

REPAIR_PATHS = (
    "Correct that file, as extra_model_paths.yaml.example beside it shows, or rename it; ComfyUI "
    "does not start with it as it is."
)

IMPORT_FAILURES = (
    ImportError,  # missing, or a library that does not load
    AttributeError,  # two builds that overwrote each other leave an empty package
    OSError,  # a library file that cannot be read
    RuntimeError,  # a start that the library itself gives up
    SystemError,  # compiled for another Python
    TypeError,  # generated code that does not fit the installed protobuf
    ValueError,  # compiled for another numpy
)
"""What an import raises when a package is missing, broken, or does not fit the others."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def install(package: str, *options: str) -> str:
    """The command that installs a package into the Python that runs this."""
    return _pip("install", *options, package)


def uninstall(packages: Iterable[str]) -> str:
    """The command that removes packages."""
    return _pip("uninstall", "-y", *packages)


def reinstall(remove: Iterable[str], package: str) -> str:
    """Two commands: remove what overwrote each other, install one."""
    return f"{uninstall(remove)} and then {install(package)}"


def runtime_for(cuda: str | None) -> str:
    """The ONNX Runtime package for a torch built for this CUDA version; None is a torch without."""
    has_wheels = (sys.platform, platform.machine().lower()) in (
        ("linux", "x86_64"),
        ("win32", "amd64"),
    )
    if not cuda or not has_wheels:
        return CPU_RUNTIME
    return LAST_FOR_CUDA_12 if cuda.split(".")[0] == "12" else GPU_RUNTIME


def _pip(*arguments: str) -> str:
    return " ".join((_quoted(sys.executable or "python"), "-m pip", *map(_quoted, arguments)))


def _quoted(argument: str) -> str:
    """In double quotes where a shell of any kind would not take it as one plain word."""
    return f'"{argument}"' if set(argument) & set(" <>=&()'") else argument
