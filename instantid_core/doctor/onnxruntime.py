"""Findings about ONNX Runtime: which packages there are, which provider opens, whose CUDA it wants.

All its packages install into one folder, and the last one wins. insightface asks for the CPU build,
so that two packages are what most people have.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..libraries import CPU_RUNTIME, GPU_RUNTIME, install, reinstall, runtime_for
from .finding import Finding, note, ok, problem
from .machine import Machine, Result
from .packages import result

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
NOT_RUNTIMES = ("onnxruntime-extensions", "onnxruntime-genai", "onnxruntime-tools")
FIRST_FOR_CUDA_13 = (1, 27)
CPU_IS_FINE = "Face analysis on the CPU takes about 0.2 seconds per picture; leave it if you like."


def runtime_findings(machine: Machine) -> Iterator[Finding]:
    """Packages, provider, CUDA version."""
    yield packages(machine)
    told = result(machine, "onnxruntime")
    if "error" not in told:
        yield provider(machine, told)
    yield cuda(machine)


def runtimes(machine: Machine) -> list[str]:
    """Installed packages that bring ONNX Runtime."""
    return [
        name
        for name in machine.packages
        if name.startswith("onnxruntime") and not name.startswith(NOT_RUNTIMES)
    ]


def packages(machine: Machine) -> Finding:
    """One package, several, or none; and whether what lies in the folder can be imported."""
    names = runtimes(machine)
    found = ", ".join(f"{name} {machine.packages[name]}" for name in names)
    told = result(machine, "onnxruntime")
    wanted = runtime_for(result(machine, "torch").get("cuda"))
    if not names and "error" in told:
        return problem("onnxruntime", "not installed", f"Run {install(wanted)}.")
    if "error" in told and "error" in result(machine, "torch"):
        return note("onnxruntime", f"{found}, not tried: it is imported after torch")
    if "error" in told:
        return problem(
            "onnxruntime",
            f"{found}, cannot be imported: {told['error']}",
            f"Run {reinstall(_both(names), wanted)}.",
        )
    if len(names) > 1:
        return _several(machine, names, found)
    return ok("onnxruntime", found or f"{told['version']}, without package metadata")


def _several(machine: Machine, names: list[str], found: str) -> Finding:
    """Packages that share the folder: harmless, unless the one that is wanted has lost."""
    build = machine.runtime_build.get("package_name", "an unknown one")
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
        "Leave them while it works; removing one of them breaks the other. To tidy up: "
        f"{reinstall(names, wanted)}.",
    )


def provider(machine: Machine, told: Result) -> Finding:
    """What `auto` really opens a model on; being listed as available proves nothing."""
    opened, refused = told["opened"], told["refused"]
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
    """Whether ONNX Runtime's CUDA build and torch's are of one major version."""
    runtime, torch = runtime_cuda(machine), result(machine, "torch").get("cuda")
    if not runtime:
        return ok("cuda", "ONNX Runtime's build uses no CUDA, so none has to match torch's")
    if not torch:
        return note(
            "cuda",
            f"ONNX Runtime is built for CUDA {runtime}, torch for none",
            CPU_IS_FINE,
        )
    found = f"ONNX Runtime is built for CUDA {runtime}, torch for CUDA {torch}"
    if _major(runtime) == _major(torch):
        return ok("cuda", found)
    advice = f"Run {install(runtime_for(torch), '--force-reinstall', '--no-deps')}."
    if result(machine, "torch").get("devices"):
        return problem("cuda", f"{found}: face analysis falls back to the CPU", advice)
    return note("cuda", f"{found}; no GPU is there to use either", CPU_IS_FINE)


def runtime_cuda(machine: Machine) -> str | None:
    """CUDA version that the files in ONNX Runtime's folder were built for."""
    build = machine.runtime_build
    if build.get("package_name") != GPU_RUNTIME:
        return None
    if build.get("cuda_version"):
        return build["cuda_version"]
    parts = machine.packages.get(GPU_RUNTIME, "0").split(".")[:2]
    version = tuple(int(part) if part.isdigit() else 0 for part in parts)
    return "13" if version >= FIRST_FOR_CUDA_13 else "12"


def _both(names: list[str]) -> list[str]:
    """Packages to remove before one is installed: pip says nothing of those that are not there."""
    return sorted({*names, CPU_RUNTIME, GPU_RUNTIME})


def _major(version: str) -> str:
    return version.split(".")[0]
