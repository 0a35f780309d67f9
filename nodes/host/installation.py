"""The running ComfyUI, as the Doctor needs to know it."""

from __future__ import annotations

from pathlib import Path

import comfyui_version
import folder_paths

from ...instantid_core.doctor import Host
from . import paths


def host() -> Host:
    """Version, model folders and custom node folders."""
    return Host(
        version=comfyui_version.__version__,
        model_roots=paths.model_roots(),
        custom_nodes=[Path(folder) for folder in folder_paths.get_folder_paths("custom_nodes")],
    )
