"""pip commands that repair an installation, for error messages and the Doctor.

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
"""From 1.27 on, the package is built for CUDA 13."""

REPAIR_PATHS = (
    "Correct that file after the example in extra_model_paths.yaml.example, or rename it; ComfyUI "
    "does not start with it as it is."
)

IMPORT_FAILURES = (
    ImportError,  # missing, or a native library does not load
    AttributeError,  # two builds overwrote each other and left an empty package
    OSError,  # a library file that cannot be read
    RuntimeError,  # the library itself refuses to start
    SystemError,  # compiled for another Python
    TypeError,  # generated code does not match the installed protobuf
    ValueError,  # compiled for another numpy
)
"""Errors of importing a package that is missing, broken or incompatible."""


def first_line(error: BaseException) -> str:
    """First line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def install(package: str, *options: str) -> str:
    """Command that installs a package into the current Python."""
    return _pip("install", *options, package)


def uninstall(packages: Iterable[str]) -> str:
    """Command that removes packages."""
    return _pip("uninstall", "-y", *packages)


def reinstall(remove: Iterable[str], package: str) -> str:
    """Two commands: remove packages that overwrote each other, install one."""
    return f"{uninstall(remove)} and then {install(package)}"


def runtime_for(cuda: str | None) -> str:
    """The ONNX Runtime package for a torch with this CUDA version; None is a torch without CUDA."""
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
    """The argument, in double quotes if a shell would not read it as one plain word."""
    return f'"{argument}"' if set(argument) & set(" <>=&()'") else argument
