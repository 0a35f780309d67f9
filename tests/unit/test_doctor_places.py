"""The Doctor's findings about folders, packs beside this one, and GPUs that give no answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instantid_core.doctor import files as doctor_files
from instantid_core.doctor import import_probe
from instantid_core.doctor import packages as doctor_packages
from instantid_core.doctor.finding import Finding, State
from instantid_core.doctor.machine import Host, Machine
from instantid_core.models.manifest import published

TORCH: dict[str, Any] = {"version": "2.11", "cuda": None, "rocm": None, "mps": False, "devices": []}


def findings(host: Host) -> dict[str, Finding]:
    return {found.check: found for found in doctor_files.file_findings(host, False)}


def host_of(tmp_path: Path) -> Host:
    roots = {kind: [tmp_path / kind] for kind in ("instantid", "controlnet", "insightface")}
    return Host("0.30.0", roots, [tmp_path / "custom_nodes"])


# --- model files ----------------------------------------------------------------------------------


def test_another_controlnet_of_the_same_size_is_not_identitynet(tmp_path: Path) -> None:
    path = tmp_path / "controlnet" / "controlnet-canny-sdxl.safetensors"
    path.parent.mkdir()
    with path.open("wb") as hole:
        hole.truncate(published()[1].size)
    assert findings(host_of(tmp_path))["identitynet"].state is State.PROBLEM
    path.rename(path.with_name("instant_id.safetensors"))
    assert findings(host_of(tmp_path))["identitynet"].state is State.OK


def test_the_advice_holds_in_a_registry_install(tmp_path: Path) -> None:
    found = findings(host_of(tmp_path))["adapter"]
    assert found.advice == (
        "'Get InstantID models' in ComfyUI's menu under Extensions, or 'python -m instantid_core "
        "models' in the pack's folder, downloads the published files."
    )


def test_a_folder_that_cannot_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, scandir = tmp_path / "instantid", os.scandir
    closed.mkdir()

    def guarded(path: Any = ".") -> Any:
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = findings(host_of(tmp_path))
    assert found["folders"].state is State.PROBLEM
    assert f"Permission denied: '{closed}'" in found["folders"].found
    assert found["adapter"].state is State.PROBLEM


# --- packs beside this one ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "older"),
    [
        ("ComfyUI_InstantID", True),
        ("ComfyUI_InstantID-main", True),
        ("comfyui-instantid-1.2", True),
        ("ComfyUI-InstantID-Compose", False),
        ("ComfyUI_InstantID_Compose-main", False),
        ("InstantID-Compose", False),
        ("instantid-compose", False),
        ("ComfyUI_Other", False),
    ],
)
def test_the_older_pack_is_known_by_how_its_folder_begins(
    tmp_path: Path, name: str, older: bool
) -> None:
    (tmp_path / "custom_nodes" / name).mkdir(parents=True)
    found = findings(host_of(tmp_path))["other packs"]
    assert (found.state is State.NOTE) is older
    assert (name in found.found) is older


def test_our_own_pack_in_a_folder_called_like_the_older_one(tmp_path: Path) -> None:
    pack = tmp_path / "custom_nodes" / "comfyui-instantid-2"
    pack.mkdir(parents=True)
    (pack / "pyproject.toml").write_text('[project]\nname = "instantid-compose"\n')
    assert findings(host_of(tmp_path))["other packs"].state is State.OK


# --- GPUs -----------------------------------------------------------------------------------------


class Gpus:
    """What torch.cuda and torch.xpu look like from the Doctor's side."""

    def __init__(self, name: str, memory: tuple[int, int] | Exception) -> None:
        self.name, self.memory = name, memory

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def get_device_name(self, number: int) -> str:
        if not self.name:
            raise RuntimeError("no context")
        return self.name

    def mem_get_info(self, number: int) -> tuple[int, int]:
        if isinstance(self.memory, Exception):
            raise self.memory
        return self.memory


NONE = SimpleNamespace(is_available=lambda: False)
FULL = RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later")


def fake_torch(**modules: Any) -> SimpleNamespace:
    return SimpleNamespace(
        __version__="2.11.0",
        version=SimpleNamespace(cuda="13.0"),
        backends=SimpleNamespace(),
        **{"cuda": NONE, **modules},
    )


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch):
    """Findings about torch and accelerator with this torch, by way of the real try."""

    def looking(torch: SimpleNamespace, **packages: str) -> dict[str, Finding]:
        monkeypatch.setitem(sys.modules, "torch", torch)
        machine = Machine(packages=packages, libraries={"torch": import_probe.PROBES["torch"]()})
        return {
            "torch": doctor_packages.torch(machine),
            "accelerator": doctor_packages.accelerator(machine),
        }

    return looking


@pytest.mark.parametrize(("name", "message"), [("NVIDIA X", "NVIDIA X"), ("", "GPU 0")])
def test_a_full_gpu_is_not_a_broken_torch(looked, name: str, message: str) -> None:
    found = looked(fake_torch(cuda=Gpus(name, FULL)))
    assert found["torch"].state is State.OK
    assert found["accelerator"].state is State.NOTE
    assert found["accelerator"].found == (
        f"{message}, whose memory cannot be queried: CUDA error: out of memory"
    )


def test_an_intel_gpu_is_seen(looked) -> None:
    torch = fake_torch(xpu=Gpus("Intel Arc A770", (15 << 30, 16 << 30)))
    torch.version = SimpleNamespace(cuda=None, xpu="20250301")
    found = looked(torch)
    assert found["torch"].found.endswith("built for Intel XPU 20250301")
    assert found["accelerator"].state is State.OK
    assert found["accelerator"].found == "Intel Arc A770 with 16.0 GB, 15.0 GB free"


def test_a_torch_that_cannot_ask_intel_for_memory(looked) -> None:
    missing = AttributeError("module 'torch.xpu' has no attribute 'mem_get_info'")
    found = looked(fake_torch(xpu=Gpus("Intel Arc A770", missing)))["accelerator"]
    assert found.found.startswith("Intel Arc A770, whose memory cannot be queried")


@pytest.mark.parametrize(("kind", "state"), [("npu", State.OK), ("cuda", State.NOTE)])
def test_what_torch_names_beside_the_known_kinds(looked, kind: str, state: State) -> None:
    named = SimpleNamespace(is_available=lambda: True, current_accelerator=lambda: kind)
    found = looked(fake_torch(accelerator=named))["accelerator"]
    assert found.state is state
    assert ("of the kind npu" in found.found) is (kind == "npu")


def test_direct_ml_is_known_by_its_package(looked) -> None:
    found = looked(fake_torch(), **{"torch-directml": "0.2.5"})["accelerator"]
    assert found.state is State.OK
    assert "torch-directml 0.2.5" in found.found
    assert "--directml" in found.found
    assert looked(fake_torch())["accelerator"].state is State.NOTE


def test_a_broken_list_of_folders_is_a_problem(tmp_path: Path) -> None:
    described = host_of(tmp_path)
    broken = Host("0.30.0", described.model_roots, [], broken="x.yaml is not YAML: line 4: y")
    found = findings(broken)["folders"]
    assert found.state is State.PROBLEM
    assert found.found == "x.yaml is not YAML: line 4: y"
    assert "Correct that file" in found.advice


def test_a_pack_that_calls_the_older_one_is_named(tmp_path: Path) -> None:
    """Easy-Use looks the older pack's classes up, and says that it must be installed."""
    easy = tmp_path / "custom_nodes" / "ComfyUI-Easy-Use"
    easy.mkdir(parents=True)
    found = findings(host_of(tmp_path))["older nodes"]
    assert found.state is State.NOTE
    assert str(easy) in found.found
    assert "Use the node InstantID in their place" in found.advice
    easy.with_name("ComfyUI_InstantID").mkdir()
    assert "older nodes" not in findings(host_of(tmp_path)), "it has what it asks for"
