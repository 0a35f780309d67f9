"""The environment of the suites `lint` and `unit`, 1.5 GB: PyTorch for the CPU, no ComfyUI.

Standard library only. For Linux the package index has PyTorch with CUDA alone. Where pip is
configured to find PyTorch's own CPU build as well, it takes that one; the other one cannot be
imported without 2 GB of NVIDIA's libraries, which are then installed too.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from .cache import CacheError, cache_root, is_complete
from .environment import (
    LOCK,
    REPOSITORY,
    Environment,
    install,
    make_venv,
    python_folder,
    ready_python,
    say,
    venv_python,
)

UNIT_LOCK = REPOSITORY / "tools" / "locks" / "unit.lock"
CPU_TORCH_LOCK = REPOSITORY / "tools" / "locks" / "unit_cpu.lock"
WITH_CUDA = re.compile(r"(nvidia|cuda|triton)\b")
"""Packages that only PyTorch's CUDA build has a use for."""
TORCH = re.compile(r"torch\b")
TO_IMPORT = re.compile(
    r"(torch|nvidia-(cublas|cuda-cupti|cuda-runtime|cudnn-cu13|cufft|cufile|curand|cusparse"
    r"|cusparselt-cu13|nccl-cu13|nvjitlink|nvshmem-cu13))=="
)
"""PyTorch with CUDA, and the libraries that it is linked with."""


def ready_for_unit_tests() -> Environment:
    """The environment of all suites where it is built already, else the small one."""
    everything = python_folder(LOCK, cache_root())
    if is_complete(everything):
        python = venv_python(everything / "venv")
    else:
        python = ready_python(UNIT_LOCK, cache_root(), build)
    return Environment(python, Path(os.devnull))


def build(folder: Path, lock: Path) -> None:
    """Makes the environment, with PyTorch for the CPU if pip finds it."""
    say(f"Building the Python environment of the unit tests in {folder} (once; 1.5 GB)")
    make_venv(folder)
    pinned = entries(lock.read_text(encoding="utf-8"))
    small = [one for one in pinned if not WITH_CUDA.match(one) and not TORCH.match(one)]
    _install_some(folder, "small", small)
    if sys.platform != "linux":
        _install_some(folder, "torch", (one for one in pinned if TORCH.match(one)))
        return
    try:
        install(folder, CPU_TORCH_LOCK)
    except CacheError:
        say("  pip finds no CPU build of PyTorch; its CUDA build comes with 2 GB of libraries")
        _install_some(folder, "torch", (one for one in pinned if TO_IMPORT.match(one)))


def entries(lock: str) -> list[str]:
    """The pinned packages of a lock, each with its hashes."""
    return [one for one in re.split(r"^(?=\S)", lock, flags=re.MULTILINE) if one.strip()]


def _install_some(folder: Path, name: str, pinned: Iterable[str]) -> None:
    part = folder / f"{name}.lock"
    part.write_text("".join(pinned), encoding="utf-8")
    install(folder, part)
