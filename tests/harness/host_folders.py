"""The model folders of a ComfyUI that does not run.

Standard library only, beside what ComfyUI's own module imports.
"""

import importlib
import os
import sys
from pathlib import Path

KINDS = ("instantid", "controlnet", "insightface")


def model_roots(comfyui: Path) -> dict[str, list[Path]]:
    """Folders of each kind, as a server of this ComfyUI with the pack would search them."""
    sys.path.insert(0, str(comfyui))
    folder_paths = importlib.import_module("folder_paths")
    configuration = comfyui / "extra_model_paths.yaml"
    if configuration.is_file():
        extra_config = importlib.import_module("utils.extra_config")
        extra_config.load_extra_path_config(str(configuration))
    roots = {}
    for kind in KINDS:
        folder_paths.add_model_folder_path(kind, os.path.join(folder_paths.models_dir, kind))
        roots[kind] = [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
    return roots
