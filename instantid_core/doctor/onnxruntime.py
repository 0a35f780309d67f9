"""Findings about ONNX Runtime: its packages, the provider that works, and its CUDA version.

All its packages install into the same folder, and the last one wins. insightface requires the CPU
build, so most people have two packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..libraries import CPU_RUNTIME, GPU_RUNTIME, install, reinstall, runtime_for
from .finding import Finding, note, ok, problem
from .machine import Machine, Result
from .packages import result

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
NOT_RUNTIMES = ("onnxruntime-extensions", "onnxruntime-genai", "onnxruntime-tools")
FIRST_FOR_CUDA_13 = (1, 27)
FIRST_WITHOUT_OUTSIDE_DATA = (1, 24, 1)
"""First version that reads no external data outside of the model's folder."""
CPU_IS_FINE = "Face analysis on the CPU takes about 0.2 seconds per picture; no action is needed."


def runtime_findings(machine: Machine) -> Iterator[Finding]:
    """Findings about packages, provider and CUDA version."""
    yield packages(machine)
    probed = result(machine, "onnxruntime")
    if "error" not in probed:
        yield provider(machine, probed)
    yield cuda(machine)


def runtimes(machine: Machine) -> list[str]:
    """Installed packages of ONNX Runtime."""
    return [
        name
        for name in machine.packages
        if name.startswith("onnxruntime") and not name.startswith(NOT_RUNTIMES)
    ]


def packages(machine: Machine) -> Finding:
    """One package, several, or none; and whether the module can be imported."""
    names = runtimes(machine)
    found = ", ".join(f"{name} {machine.packages[name]}" for name in names)
    probed = result(machine, "onnxruntime")
    wanted = runtime_for(result(machine, "torch").get("cuda"))
    if not names and "error" in probed:
        return problem("onnxruntime", "not installed", f"Run {install(wanted)}.")
    if "error" in probed and "error" in result(machine, "torch"):
        return note("onnxruntime", f"{found}, not tested: it is imported after torch")
    if "error" in probed:
        return problem(
            "onnxruntime",
            f"{found}, cannot be imported: {probed['error']}",
            f"Run {reinstall(_both(names), wanted)}.",
        )
    if len(names) > 1:
        return _several(machine, names, found)
    if _numbers(str(probed.get("version"))) < FIRST_WITHOUT_OUTSIDE_DATA:
        return note(
            "onnxruntime",
            f"{found}; versions up to 1.23 read any file that a model names, so the pack checks "
            "face models before opening them",
            f"If your Python supports it, run {install(_at_least(wanted))}.",
        )
    return ok("onnxruntime", found or f"{probed['version']}, without package metadata")


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers; an unknown one counts as recent."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", version)
    if not found:
        return FIRST_WITHOUT_OUTSIDE_DATA
    return tuple(int(part or 0) for part in found.groups())


def _at_least(package: str) -> str:
    joint = "," if "<" in package else ""
    return f"{package}{joint}>={'.'.join(map(str, FIRST_WITHOUT_OUTSIDE_DATA))}"


def _several(machine: Machine, names: list[str], found: str) -> Finding:
    """Packages that share the folder: harmless unless the CPU build has won over the GPU build."""
    build = machine.runtime_build.get("package_name", "an unknown package")
    both = f"{len(names)} packages share one folder: {found}; the files are those of {build}"
    wanted = runtime_for(result(machine, "torch").get("cuda"))
    advice = (
        f"Run {install(wanted, '--force-reinstall', '--no-deps')}; every upgrade of insightface "
        "brings the CPU build back."
    )
    has_gpu = bool(result(machine, "torch").get("devices"))
    if has_gpu and GPU_RUNTIME in names and build == CPU_RUNTIME:
        return problem("onnxruntime", f"{both}, which has no CUDA", advice)
    return note(
        "onnxruntime",
        both,
        "Leave them as long as it works; removing one breaks the other. To clean up: "
        f"{reinstall(names, wanted)}.",
    )


def provider(machine: Machine, probed: Result) -> Finding:
    """The provider that opens a model under `auto`; being listed as available proves nothing."""
    opened, refused = probed["opened"], probed["refused"]
    reasons = "; ".join(f"{name} does not open: {why}" for name, why in refused.items())
    if opened is None:
        return problem(
            "provider",
            f"no provider opens a model: {reasons}",
            f"Run {reinstall(_both(runtimes(machine)), CPU_RUNTIME)}.",
        )
    found = f"{opened} opens" + (f"; {reasons}" if reasons else "")
    if refused:
        return note("provider", found, CPU_IS_FINE if opened == CPU else "")
    return ok("provider", found)


def cuda(machine: Machine) -> Finding:
    """Comparison of the CUDA versions that ONNX Runtime and torch are built for."""
    runtime, torch = runtime_cuda(machine), result(machine, "torch").get("cuda")
    if not runtime:
        return ok("cuda", "ONNX Runtime's build uses no CUDA, so it does not have to match torch's")
    if not torch:
        return note(
            "cuda",
            f"ONNX Runtime is built for CUDA {runtime}, torch without CUDA",
            CPU_IS_FINE,
        )
    found = f"ONNX Runtime is built for CUDA {runtime}, torch for CUDA {torch}"
    if _major(runtime) == _major(torch):
        return ok("cuda", found)
    advice = f"Run {install(runtime_for(torch), '--force-reinstall', '--no-deps')}."
    if result(machine, "torch").get("devices"):
        return problem("cuda", f"{found}: face analysis falls back to the CPU", advice)
    return note("cuda", f"{found}; and there is no GPU to use", CPU_IS_FINE)


def runtime_cuda(machine: Machine) -> str | None:
    """CUDA version of the build in ONNX Runtime's folder."""
    build = machine.runtime_build
    if build.get("package_name") != GPU_RUNTIME:
        return None
    if build.get("cuda_version"):
        return build["cuda_version"]
    parts = machine.packages.get(GPU_RUNTIME, "0").split(".")[:2]
    version = tuple(int(part) if part.isdigit() else 0 for part in parts)
    return "13" if version >= FIRST_FOR_CUDA_13 else "12"


def _both(names: list[str]) -> list[str]:
    """Packages to remove before installing one: pip ignores those that are not installed."""
    return sorted({*names, CPU_RUNTIME, GPU_RUNTIME})


def _major(version: str) -> str:
    return version.split(".")[0]
