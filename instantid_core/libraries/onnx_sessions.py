"""ONNX Runtime sessions on a provider that actually works.

ONNX Runtime reports providers that cannot start, prints native errors instead of raising on Linux,
and raises on Windows. So each candidate is tried, the session is asked for its provider, and the
CPU comes last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FaceModelError, TensorFileError, one_of
from .imports import import_runtime
from .onnx_check import require_own_data
from .pip_commands import first_line

if TYPE_CHECKING:
    import onnxruntime

log = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
}
AUTO = "auto"
AUTO_ORDER = (PROVIDERS["cuda"], PROVIDERS["migraphx"], PROVIDERS["directml"])
"""Without CoreML, which accepts the detector and then fails to run it."""
CHOICES = (AUTO, *PROVIDERS)
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
    "cudnn_conv_use_max_workspace": "0",
}
"""Shortens the first run and saves GPU memory for the host."""
SILENT, WARNINGS = 4, 2


def open_sessions(
    paths: Sequence[Path], choice: str = AUTO
) -> tuple[onnxruntime.InferenceSession, ...]:
    """Open models together on the chosen provider, or on the CPU with a warning.

    choice: one of CHOICES. Raises FaceModelError when even the CPU cannot read a file, and for
    files whose data lie in other files.
    """
    for path in paths:
        _require_own_data(path)
    runtime = import_runtime()
    for provider in candidates(choice, runtime.get_available_providers()):
        try:
            return tuple(_open(runtime, path, provider) for path in paths)
        except _NotOnThisProviderError as error:
            if provider == CPU:
                raise FaceModelError(
                    f"ONNX Runtime cannot open {error.path}: {error.reason}. The file is probably "
                    "truncated or not an ONNX model: delete it and download it again."
                ) from error
            log.warning(
                "Face analysis cannot use %s: %s. Trying the next provider.", provider, error.reason
            )
    raise FaceModelError("ONNX Runtime offers no provider at all, not even the CPU. Reinstall it.")


def _require_own_data(path: Path) -> None:
    try:
        require_own_data(path)
    except (TensorFileError, OSError) as error:
        raise FaceModelError(
            f"ONNX Runtime cannot open {path}: {first_line(error)}. Expected a whole ONNX model "
            "that holds all of its data: delete it and download it again."
        ) from error


def refusal(runtime: Any, path: Path, provider: str) -> str | None:
    """Reason why this provider cannot open a model, in one line; None if it can."""
    try:
        _open(runtime, path, provider)
    except _NotOnThisProviderError as error:
        return error.reason
    return None


def candidates(choice: str, available: list[str]) -> list[str]:
    """Providers to try, the CPU last. Warns if this ONNX Runtime does not offer the chosen one."""
    if choice == AUTO:
        return [name for name in AUTO_ORDER if name in available] + [CPU]
    one_of("provider", choice, CHOICES)
    wanted = PROVIDERS[choice]
    if wanted not in available:
        log.warning(
            "Face analysis was asked to use %s, which this ONNX Runtime does not offer (it has "
            "%s). Using the CPU.",
            choice,
            ", ".join(available),
        )
        return [CPU]
    return [CPU] if wanted == CPU else [wanted, CPU]


class _NotOnThisProviderError(Exception):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def _open(runtime: Any, path: Path, provider: str) -> onnxruntime.InferenceSession:
    options = runtime.SessionOptions()
    options.log_severity_level = SILENT
    # Idle sessions that spin slow each other down.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = (provider, CUDA_OPTIONS) if provider == PROVIDERS["cuda"] else provider
    providers = [CPU] if provider == CPU else [wanted, CPU]
    runtime.set_default_logger_severity(SILENT)
    try:
        session = runtime.InferenceSession(
            str(path), options, providers=providers, enable_fallback=0
        )
    except Exception as error:  # the runtime's errors share no narrower base class
        raise _NotOnThisProviderError(path, first_line(error)) from error
    finally:
        runtime.set_default_logger_severity(WARNINGS)
    if session.get_providers()[0] != provider:
        reason = "its libraries do not load; often their CUDA version differs from torch's"
        raise _NotOnThisProviderError(path, reason)
    return session
