"""Findings about Python, torch, and the packages that analyse faces and draw."""

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
"""The package with which torch uses any GPU on Windows."""
SMALL_MEMORY = 8 * GIGABYTE
"""Below this, ComfyUI moves SDXL and IdentityNet in and out of the GPU while it works."""


def package_findings(machine: Machine) -> Iterator[Finding]:
    """Python, torch, accelerator, insightface and OpenCV; ONNX Runtime is looked at elsewhere."""
    yield python(machine)
    yield torch(machine)
    yield accelerator(machine)
    yield insightface(machine)
    yield opencv(machine)


def result(machine: Machine, library: str) -> Result:
    """What came of importing a library."""
    return machine.libraries.get(library, {"error": "it was not tried"})


def python(machine: Machine) -> Finding:
    """The version, and which Python it is: packages installed into another one do not help."""
    version = ".".join(map(str, machine.python))
    found = f"{version} on {machine.system}, {machine.executable}"
    if machine.python >= OLDEST_PYTHON:
        return ok("python", found)
    return problem("python", found, "Run ComfyUI with Python 3.10 or newer.")


def torch(machine: Machine) -> Finding:
    """Everything runs on it, and ONNX Runtime takes its CUDA libraries."""
    told = result(machine, "torch")
    if "error" in told:
        return problem(
            "torch",
            f"cannot be imported: {told['error']}",
            "Install torch as ComfyUI's installation guide says, with the Python named above.",
        )
    built = f"CUDA {told['cuda']}" if told["cuda"] else "the CPU"
    if told["rocm"]:
        built = f"ROCm {told['rocm']}"
    if told.get("xpu"):
        built = f"Intel XPU {told['xpu']}"
    return ok("torch", f"{told['version']}, built for {built}")


def accelerator(machine: Machine) -> Finding:
    """What SDXL would run on, and its memory."""
    told = result(machine, "torch")
    devices = [*told.get("devices", []), *told.get("xpu_devices", [])]
    if devices:
        return _gpus(devices)
    if told.get("mps"):
        return ok("accelerator", "Apple GPU")
    if told.get("other"):
        return ok("accelerator", f"torch names one of the kind {told['other']}")
    if "error" not in told and DIRECTML in machine.packages:
        # Not imported: it is built for one version of torch and takes the process down with others.
        return ok(
            "accelerator",
            f"DirectML by {DIRECTML} {machine.packages[DIRECTML]}; ComfyUI uses it when it is "
            "started with --directml",
        )
    if "error" in told:
        return note("accelerator", "not known without torch")
    return note(
        "accelerator",
        "torch sees no GPU",
        "If the machine has one, install a torch that is built for it; on a CPU SDXL takes minutes "
        "per step.",
    )


def _gpus(devices: list[Mapping[str, Any]]) -> Finding:
    found = ", ".join(map(_gpu, devices))
    known = [device["total"] for device in devices if "total" in device]
    if not known:
        return note(
            "accelerator",
            found,
            "The GPU may be full, or its driver not answer: close what else uses it, and look "
            "again.",
        )
    if max(known) >= SMALL_MEMORY:
        return ok("accelerator", found)
    return note("accelerator", found, "SDXL runs, slowly; close what else uses the GPU.")


def _gpu(device: Mapping[str, Any]) -> str:
    if "unknown" in device:
        return f"{device['name']}, whose memory cannot be asked: {device['unknown']}"
    return (
        f"{device['name']} with {device['total'] / GIGABYTE:.1f} GB, "
        f"{device['free'] / GIGABYTE:.1f} GB free"
    )


def insightface(machine: Machine) -> Finding:
    """The classes that run the face models."""
    told = result(machine, "insightface")
    version = machine.packages.get("insightface", "")
    needed = [name for name in ("onnxruntime", "opencv") if "error" in result(machine, name)]
    if "insightface" not in machine.packages:
        return problem("insightface", "not installed", f"Run {install(INSIGHTFACE)}.")
    if "error" in told and needed:
        return note(
            "insightface",
            f"{version}, not tried: it imports {' and '.join(needed)}, which does not work",
        )
    if "error" in told:
        return problem(
            "insightface",
            f"{version}, cannot be imported: {told['error']}",
            f"Run {install(INSIGHTFACE, '--upgrade')}, then look at onnxruntime here again.",
        )
    if _major(version) < OLDEST_INSIGHTFACE:
        return problem(
            "insightface",
            f"{version}; 1.0 or newer is needed",
            f"Run {install(INSIGHTFACE, '--upgrade')}, then look at onnxruntime here again.",
        )
    return ok("insightface", version)


def opencv(machine: Machine) -> Finding:
    """Draws keypoints; its packages share one folder, as ONNX Runtime's do."""
    told = result(machine, "opencv")
    packages = [name for name in machine.packages if name.startswith("opencv-")]
    found = ", ".join(f"{name} {machine.packages[name]}" for name in packages)
    if not packages and "error" in told:
        return problem("opencv", "not installed", f"Run {install(OPENCV)}.")
    if "error" in told:
        return problem(
            "opencv",
            f"{found}, cannot be imported: {told['error']}",
            f"Run {reinstall(packages, OPENCV)}.",
        )
    if len(packages) > 1:
        return note(
            "opencv",
            f"{len(packages)} packages share one folder: {found}; {told['version']} is used and "
            "works",
            "Leave them while it works; removing one of them breaks the other. To tidy up: "
            f"{reinstall(packages, OPENCV)}.",
        )
    return ok("opencv", found or f"{told['version']}, without package metadata")


def _major(version: str) -> int:
    digits = version.split(".")[0]
    return int(digits) if digits.isdigit() else OLDEST_INSIGHTFACE
