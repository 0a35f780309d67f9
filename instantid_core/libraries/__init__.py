"""Libraries that may be missing or broken: imports on first use, and repair commands.

Standard library only at import.
"""

from .imports import import_cv2, import_insightface, import_runtime
from .onnx_sessions import AUTO, CHOICES, CPU, candidates, open_sessions, refusal
from .pip_commands import (
    CPU_RUNTIME,
    GPU_RUNTIME,
    IMPORT_FAILURES,
    INSIGHTFACE,
    OPENCV,
    REPAIR_PATHS,
    first_line,
    install,
    reinstall,
    runtime_for,
)

__all__ = [
    "AUTO",
    "CHOICES",
    "CPU",
    "CPU_RUNTIME",
    "GPU_RUNTIME",
    "IMPORT_FAILURES",
    "INSIGHTFACE",
    "OPENCV",
    "REPAIR_PATHS",
    "candidates",
    "first_line",
    "import_cv2",
    "import_insightface",
    "import_runtime",
    "install",
    "open_sessions",
    "refusal",
    "reinstall",
    "runtime_for",
]
