"""Findings about Python, torch, insightface and OpenCV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..libraries import INSIGHTFACE, OPENCV, install, reinstall
from .finding import Finding, note, ok, problem
from .machine import Machine, Result

OLDEST_PYTHON = (3, 10)
OLDEST_INSIGHTFACE = 1
GIGABYTE = 1 << 30
DIRECTML = "torch-directml"
"""Package that lets torch use any GPU on Windows."""
SMALL_MEMORY = 8 * GIGABYTE
"""Below this, ComfyUI moves SDXL and IdentityNet in and out of GPU memory during a run."""


def package_findings(machine: Machine) -> Iterator[Finding]:
    """Findings about all packages but ONNX Runtime, which has its own module."""
    yield python(machine)
    yield torch(machine)
    yield accelerator(machine)
    yield insightface(machine)
    yield opencv(machine)


def result(machine: Machine, library: str) -> Result:
    """Result of importing a library."""
    return machine.libraries.get(library, {"error": "it was not tested"})


def python(machine: Machine) -> Finding:
    """Version and path of Python: packages must be installed into this one."""
    version = ".".join(map(str, machine.python))
    found = f"{version} on {machine.system}, {machine.executable}"
    if machine.python >= OLDEST_PYTHON:
        return ok("python", found)
    return problem("python", found, "Run ComfyUI with Python 3.10 or newer.")


def torch(machine: Machine) -> Finding:
    """Version and build of torch, whose CUDA libraries ONNX Runtime uses."""
    probed = result(machine, "torch")
    if "error" in probed:
        return problem(
            "torch",
            f"cannot be imported: {probed['error']}",
            "Install torch as ComfyUI's installation guide says, with the Python named above.",
        )
    built = f"CUDA {probed['cuda']}" if probed["cuda"] else "the CPU"
    if probed["rocm"]:
        built = f"ROCm {probed['rocm']}"
    if probed.get("xpu"):
        built = f"Intel XPU {probed['xpu']}"
    return ok("torch", f"{probed['version']}, built for {built}")


def accelerator(machine: Machine) -> Finding:
    """The device that runs SDXL, and its memory."""
    probed = result(machine, "torch")
    devices = [*probed.get("devices", []), *probed.get("xpu_devices", [])]
    if devices:
        return _gpus(devices)
    if probed.get("mps"):
        return ok("accelerator", "Apple GPU")
    if probed.get("other"):
        return ok("accelerator", f"torch reports one of the kind {probed['other']}")
    if "error" not in probed and DIRECTML in machine.packages:
        # Not imported: it is built for one version of torch and crashes with others.
        return ok(
            "accelerator",
            f"DirectML by {DIRECTML} {machine.packages[DIRECTML]}; ComfyUI uses it when it is "
            "started with --directml",
        )
    if "error" in probed:
        return note("accelerator", "not known without torch")
    return note(
        "accelerator",
        "torch sees no GPU",
        "If the machine has one, install a torch that is built for it; on a CPU, SDXL takes "
        "minutes per step.",
    )


def _gpus(devices: list[Mapping[str, Any]]) -> Finding:
    found = ", ".join(map(_gpu, devices))
    known = [device["total"] for device in devices if "total" in device]
    if not known:
        return note(
            "accelerator",
            found,
            "The GPU may be full, or its driver may not respond: close other programs that use it, "
            "then run the Doctor again.",
        )
    if max(known) >= SMALL_MEMORY:
        return ok("accelerator", found)
    return note(
        "accelerator", found, "SDXL runs, but slowly; close other programs that use the GPU."
    )


def _gpu(device: Mapping[str, Any]) -> str:
    if "unknown" in device:
        return f"{device['name']}, whose memory cannot be queried: {device['unknown']}"
    return (
        f"{device['name']} with {device['total'] / GIGABYTE:.1f} GB, "
        f"{device['free'] / GIGABYTE:.1f} GB free"
    )


def insightface(machine: Machine) -> Finding:
    """Version of insightface, which runs the face models."""
    probed = result(machine, "insightface")
    version = machine.packages.get("insightface", "")
    needed = [name for name in ("onnxruntime", "opencv") if "error" in result(machine, name)]
    if "insightface" not in machine.packages:
        return problem("insightface", "not installed", f"Run {install(INSIGHTFACE)}.")
    if "error" in probed and needed:
        return note(
            "insightface",
            f"{version}, not tested: it imports {' and '.join(needed)}, which does not work",
        )
    if "error" in probed:
        return problem(
            "insightface",
            f"{version}, cannot be imported: {probed['error']}",
            f"Run {install(INSIGHTFACE, '--upgrade')}, then check onnxruntime here again.",
        )
    if _major(version) < OLDEST_INSIGHTFACE:
        return problem(
            "insightface",
            f"{version}; 1.0 or newer is needed",
            f"Run {install(INSIGHTFACE, '--upgrade')}, then check onnxruntime here again.",
        )
    return ok("insightface", version)


def opencv(machine: Machine) -> Finding:
    """OpenCV, which draws keypoints; its packages share one folder, like ONNX Runtime's."""
    probed = result(machine, "opencv")
    packages = [name for name in machine.packages if name.startswith("opencv-")]
    found = ", ".join(f"{name} {machine.packages[name]}" for name in packages)
    if not packages and "error" in probed:
        return problem("opencv", "not installed", f"Run {install(OPENCV)}.")
    if "error" in probed:
        return problem(
            "opencv",
            f"{found}, cannot be imported: {probed['error']}",
            f"Run {reinstall(packages, OPENCV)}.",
        )
    if len(packages) > 1:
        return note(
            "opencv",
            f"{len(packages)} packages share one folder: {found}; {probed['version']} is used and "
            "works",
            "Leave them as long as it works; removing one breaks the other. To clean up: "
            f"{reinstall(packages, OPENCV)}.",
        )
    return ok("opencv", found or f"{probed['version']}, without package metadata")


def _major(version: str) -> int:
    digits = version.split(".")[0]
    return int(digits) if digits.isdigit() else OLDEST_INSIGHTFACE
