"""Model folders and the files in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import folder_paths

from ...instantid_core.models import HOW_TO_GET

ADAPTERS = "instantid"
FACE_MODELS = "insightface"
CONTROL_NETS = "controlnet"
NO_ADAPTER = "no file found - see Get InstantID models"
"""What the choice of adapters shows when there is none."""
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


def model_roots() -> dict[str, list[Path]]:
    """Folders for each kind of published file, as ComfyUI searches them.

    The first is where downloads go: ComfyUI's own, or the user's where extra_model_paths.yaml has
    `is_default`, or names a kind that ComfyUI itself does not have.
    """
    return {
        kind: [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
        for kind in (ADAPTERS, CONTROL_NETS, FACE_MODELS)
    }


def adapter_choices() -> list[str]:
    """Adapter files to choose from; where there are none, one entry that says so."""
    return adapter_names() or [NO_ADAPTER]


def explain_adapter(name: str) -> str | None:
    """Why there is no such adapter file and what to do, or None when there is one."""
    names = adapter_names()
    if name in names:
        return None
    folders = "; ".join(folder_paths.get_folder_paths(ADAPTERS))
    if not names:
        return f"Expected an adapter file in {folders}; found none. {HOW_TO_GET}"
    return (
        f"Expected the adapter file {name} in {folders}; found {', '.join(names)}. Choose one of "
        f"these. {HOW_TO_GET}"
    )
