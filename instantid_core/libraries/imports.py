"""Imports of OpenCV, ONNX Runtime and insightface on first use.

They are not part of the host, take a while to load, and may be missing or broken: each function
raises an error that names the command to repair the installation.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import FaceModelError, InstantIDError
from .native_libraries import OPENCVS, RUNTIMES, require_whole
from .pip_commands import (
    CPU_RUNTIME,
    GPU_RUNTIME,
    IMPORT_FAILURES,
    INSIGHTFACE,
    OPENCV,
    first_line,
    install,
    reinstall,
    runtime_for,
)


def import_cv2() -> ModuleType:
    """The cv2 module. Raises InstantIDError with the repair command if it does not work."""
    try:
        if "cv2" not in sys.modules:
            require_whole(OPENCVS)
        import cv2

        cv2.fillConvexPoly  # noqa: B018  absent when one of two builds was removed
    except IMPORT_FAILURES as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cv2"
        command = install(OPENCV) if missing else install(OPENCV, "--force-reinstall", "--no-deps")
        raise InstantIDError(
            f"OpenCV cannot be imported ({first_line(error)}). Faces and drawings need it: run "
            f"{command}. Then start ComfyUI again."
        ) from error
    return cv2


def import_runtime() -> Any:
    """The onnxruntime module. Raises FaceModelError with the repair command if it does not work."""
    # First, because torch loads the CUDA libraries that ONNX Runtime's CUDA provider needs.
    import torch

    try:
        if "onnxruntime" not in sys.modules:
            require_whole(RUNTIMES)
        import onnxruntime

        onnxruntime.InferenceSession  # noqa: B018  absent when two builds overwrote each other
    except IMPORT_FAILURES as error:
        package = runtime_for(torch.version.cuda)
        missing = isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime"
        command = install(package) if missing else reinstall((CPU_RUNTIME, GPU_RUNTIME), package)
        raise FaceModelError(
            f"ONNX Runtime cannot be imported ({first_line(error)}). Face analysis needs it: run "
            f"{command}. Then start ComfyUI again."
        ) from error
    return onnxruntime


class InsightfaceParts(NamedTuple):
    """Two model classes and a function of insightface."""

    SCRFD: Any
    ArcFaceONNX: Any
    norm_crop: Any


def import_insightface() -> InsightfaceParts:
    """The parts of insightface in use. Raises InstantIDError with the repair command."""
    # insightface imports both and would be blamed if one of them is missing.
    import_runtime()
    import_cv2()
    try:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX
        from insightface.model_zoo.scrfd import SCRFD
        from insightface.utils.face_align import norm_crop
    except IMPORT_FAILURES as error:
        raise FaceModelError(
            f"insightface cannot be imported ({first_line(error)}). Face analysis needs version "
            f"1.0 or newer: run {install(INSIGHTFACE)}. Then start ComfyUI again."
        ) from error
    return InsightfaceParts(SCRFD, ArcFaceONNX, norm_crop)
