"""Probe that imports the libraries and reports the results; runs in its own process.

Prints one line of JSON per library at once, so that no result is lost in a crash.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InstantIDError
from ..libraries import IMPORT_FAILURES, first_line

SMALLEST_MODEL = bytes.fromhex(
    "08073a330a0c0a0178120179220452656c751201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)
"""An ONNX model, y = Relu(x) for one number."""


def main(names: Sequence[str]) -> None:
    """Probe each of the named libraries."""
    for name in names:
        try:
            result = PROBES[name]()
        except InstantIDError as error:
            result = {"error": first_line(error.__cause__ or error)}
        except IMPORT_FAILURES as error:
            result = {"error": f"{type(error).__name__}: {first_line(error)}"}
        # Libraries may print anything; the result starts on its own line.
        sys.stdout.write("\n" + json.dumps({"library": name, **result}) + "\n")
        sys.stdout.flush()


def _torch() -> dict[str, Any]:
    import torch

    mps = getattr(torch.backends, "mps", None)
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "rocm": getattr(torch.version, "hip", None),
        "xpu": getattr(torch.version, "xpu", None),
        "mps": bool(mps and mps.is_available()),
        "devices": _devices(torch.cuda),
        "xpu_devices": _devices(getattr(torch, "xpu", None)),
        "other": _other(getattr(torch, "accelerator", None)),
    }


def _devices(module: Any) -> list[dict[str, Any]]:
    """GPUs known to a module such as torch.cuda; none if this torch has no such module."""
    if not (hasattr(module, "is_available") and module.is_available()):
        return []
    return [_device(module, number) for number in range(module.device_count())]


def _device(module: Any, number: int) -> dict[str, Any]:
    try:
        name = module.get_device_name(number)
    except RuntimeError:
        # The driver does not answer; that there is a GPU is still worth reporting.
        name = f"GPU {number}"
    try:
        free, total = module.mem_get_info(number)
    except (RuntimeError, AttributeError) as error:
        # A full GPU may refuse the query; torch before 2.6 has no such call for Intel.
        return {"name": name, "unknown": first_line(error)}
    return {"name": name, "free": free, "total": total}


def _other(accelerator: Any) -> str:
    """An accelerator of another kind than those above, according to torch.accelerator."""
    if not (hasattr(accelerator, "is_available") and accelerator.is_available()):
        return ""
    kind = str(accelerator.current_accelerator())
    return "" if kind in ("cuda", "xpu", "mps") else kind


def _onnxruntime() -> dict[str, Any]:
    from ..libraries import AUTO, candidates, import_runtime, refusal

    runtime = import_runtime()
    available = runtime.get_available_providers()
    refused: dict[str, str] = {}
    opened = None
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "smallest.onnx")
        model.write_bytes(SMALLEST_MODEL)
        for provider in candidates(AUTO, available):
            reason = refusal(runtime, model, provider)
            if reason is None:
                opened = provider
                break
            refused[provider] = reason
    return {
        "version": runtime.__version__,
        "available": available,
        "opened": opened,
        "refused": refused,
    }


def _opencv() -> dict[str, Any]:
    from ..libraries import import_cv2

    return {"version": import_cv2().__version__}


def _insightface() -> dict[str, Any]:
    from ..libraries import import_insightface

    import_insightface()
    return {"version": sys.modules["insightface"].__version__}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "opencv": _opencv,
    "insightface": _insightface,
}
