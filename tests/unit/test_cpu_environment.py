"""The small environment holds no CUDA where pip finds PyTorch for the CPU."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.comfyui import cpu_environment
from tools.comfyui.cache import CacheError
from tools.comfyui.cpu_environment import CPU_TORCH_LOCK, TO_IMPORT, UNIT_LOCK, WITH_CUDA, entries


def names(lock: Path) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The packages of each step, in place of pip."""
    steps: list[set[str]] = []

    def install(folder: Path, lock: Path) -> None:
        steps.append(names(lock))
        if lock == CPU_TORCH_LOCK and "no CPU build" in folder.name:
            raise CacheError("no matching distribution")

    monkeypatch.setattr(cpu_environment, "install", install)
    monkeypatch.setattr(cpu_environment, "make_venv", lambda folder: None)
    monkeypatch.setattr("sys.platform", "linux")
    return steps


def test_the_cpu_build_is_all_that_is_installed(installed: list[set[str]], tmp_path: Path) -> None:
    cpu_environment.build(tmp_path, UNIT_LOCK)
    small, torch = installed
    assert {"numpy", "pytest", "ruff", "insightface"} <= small
    assert not [name for name in small if WITH_CUDA.match(name) or name == "torch"]
    assert torch == {"torch"}


def test_without_it_the_libraries_come_that_its_import_needs(
    installed: list[set[str]], tmp_path: Path
) -> None:
    (tmp_path / "no CPU build").mkdir()
    cpu_environment.build(tmp_path / "no CPU build", UNIT_LOCK)
    *_, libraries = installed
    assert {"torch", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime"} <= libraries
    assert not {"triton", "nvidia-cuda-nvrtc", "nvidia-cusolver", "nvidia-nvtx"} & libraries


def test_elsewhere_the_index_has_the_cpu_build(
    installed: list[set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    cpu_environment.build(tmp_path, UNIT_LOCK)
    assert installed[1:] == [{"torch"}]


def test_both_builds_are_one_version() -> None:
    (of_index,) = [one for one in entries(UNIT_LOCK.read_text("utf-8")) if one[:7] == "torch=="]
    (of_cpu,) = [one for one in entries(CPU_TORCH_LOCK.read_text("utf-8")) if one[:5] == "torch"]
    version = re.match(r"torch==([\d.]+)", of_index)
    assert version and of_cpu.startswith(f"torch=={version[1]}+cpu ")
    assert TO_IMPORT.match(of_index)
