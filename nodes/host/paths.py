"""Model folders and the files in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import folder_paths

ADAPTERS = "instantid"
FACE_MODELS = "insightface"
ADAPTER_EXTENSIONS = {".bin", ".safetensors", ".sft", ".pt", ".pth", ".ckpt"}


def register_model_folders() -> None:
    """Tell the host about the pack's folders, beside any that the user's configuration names."""
    models = Path(folder_paths.models_dir)
    register_folders(ADAPTERS, [models / ADAPTERS], ADAPTER_EXTENSIONS)
    register_folders(FACE_MODELS, [models / FACE_MODELS], {".onnx"})


def register_folders(name: str, folders: Iterable[Path], extensions: set[str]) -> None:
    """Add folders and file extensions to a kind of model file, new or known."""
    for folder in folders:
        folder_paths.add_model_folder_path(name, str(folder))
    registered, known = folder_paths.folder_names_and_paths[name]
    # A new set: the host shares one set object among several folder types.
    folder_paths.folder_names_and_paths[name] = (registered, set(known) | extensions)


def adapter_names() -> list[str]:
    """Adapter files, relative to their folder."""
    return folder_paths.get_filename_list(ADAPTERS)


def adapter_path(name: str) -> str:
    """Absolute path of an adapter file; the host raises when there is none."""
    return folder_paths.get_full_path_or_raise(ADAPTERS, name)


def face_model_roots() -> list[Path]:
    """Folders in which model packs of insightface may lie."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(FACE_MODELS)]
