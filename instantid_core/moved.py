"""Explanation for imports of modules that have moved since earlier versions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ROOM_OF = {
    "analysis": "faces",
    "selection": "faces",
    "face_models": "faces",
    "recognisers": "faces",
    "face_report": "faces",
    "preview": "faces",
    "advice": "faces",
    "geometry": "keypoints",
    "landmarks": "keypoints",
    "poses": "keypoints",
    "pose_json": "keypoints",
    "regions": "keypoints",
    "crops": "keypoints",
    "embedding": "identity",
    "blending": "identity",
    "identity_file": "identity",
    "likeness": "identity",
    "likeness_sheet": "identity",
    "checkpoint": "adapter",
    "split_checkpoint": "adapter",
    "resampler": "adapter",
    "keys_values": "adapter",
    "sites": "adapter",
    "profiles": "adapter",
    "attention": "adapter",
    "schedule": "adapter",
    "masks": "adapter",
    "group": "adapter",
    "tensor_file": "weights",
    "torch_archive": "weights",
    "weights_pickle": "weights",
    "model_files": "models",
    "model_inventory": "models",
    "model_folders": "models",
    "model_fetch": "models",
    "model_job": "models",
    "face_files": "models",
    "downloads": "models",
    "download_http": "models",
    "download_space": "models",
    "archives": "models",
    "doctor_finding": "doctor",
    "doctor_machine": "doctor",
    "doctor_try": "doctor",
    "doctor_packages": "doctor",
    "doctor_runtime": "doctor",
    "doctor_files": "doctor",
    "opencv": "libraries",
    "native_libraries": "libraries",
    "sessions": "libraries",
    "repairs": "libraries",
}


class MovedModules(MetaPathFinder):
    """A finder, asked last, that finds nothing but explains where a module has moved."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None. Raises ImportError for a module of an earlier version."""
        package, _, name = fullname.rpartition(".")
        if package == self.package and name in ROOM_OF:
            raise ImportError(
                f"instantid_core.{name} has moved. Import its names from "
                f"instantid_core.{ROOM_OF[name]}.",
                name=fullname,
            )
        return None


def explain_moved_modules(package: str) -> None:
    """Append the finder for this package, once however often the package is imported."""
    finders = [found for found in sys.meta_path if isinstance(found, MovedModules)]
    if package not in [found.package for found in finders]:
        sys.meta_path.append(MovedModules(package))
