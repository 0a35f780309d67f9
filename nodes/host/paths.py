"""Model folders and the files in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import folder_paths

from ...instantid_core.adapter import is_half
from ...instantid_core.errors import (
    CheckpointError,
    FaceModelError,
    IncompatibleModelError,
    printable,
)
from ...instantid_core.models import HOW_TO_GET, KINDS, MODEL_PACK, find_models
from .adapter_lora import beside

ADAPTERS, CONTROL_NETS, FACE_MODELS = KINDS
NO_FILE = "no file found - see Get InstantID models"
"""Choice of adapters, and of ControlNets, when there is none."""
PUBLISHED_IDENTITY_NET = "instantid/diffusion_pytorch_model.safetensors"
"""Place of IdentityNet below a folder of ControlNets, where Get InstantID models puts it."""
ADAPTER_EXTENSIONS = {".bin", ".safetensors", ".sft", ".pt", ".pth", ".ckpt"}


def register_model_folders() -> None:
    """Register the pack's folders with the host, beside any that the user's configuration names."""
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
    """Absolute path of an adapter file. Raises CheckpointError when there is none: a wire goes
    around the choice."""
    reason = explain_adapter(name)
    if reason is not None:
        raise CheckpointError(reason)
    return folder_paths.get_full_path_or_raise(ADAPTERS, name)


def file_state(path: Path) -> str:
    """Changes when a file does, also for another file of the same size and date."""
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


def adapter_state(name: str | None) -> str:
    """Changes when an adapter does: its file, or one beside it that may be the other half of an
    adapter for SD 1.5, or its LoRA. None for a name that a wire brings: it is not known yet."""
    path = folder_paths.get_full_path(ADAPTERS, name) if name in adapter_names() else None
    if path is None:
        return "missing"
    halves = sorted(each for each in Path(path).parent.iterdir() if is_half(each.name))
    lora = beside(Path(path))
    files = (Path(path), *halves, *([lora] if lora else []))
    return "; ".join(f"{each.name!a} {file_state(each)}" for each in files)


def face_models_state(pack: str | None) -> str:
    """Changes when a face model of the pack does."""
    try:
        files = find_models(face_model_roots(), pack or MODEL_PACK)
    except FaceModelError:
        return "missing"
    return "; ".join(file_state(each) for each in files if each is not None)


def face_model_roots() -> list[Path]:
    """Folders in which model packs of insightface may lie."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(FACE_MODELS)]


def model_roots() -> dict[str, list[Path]]:
    """Folders for each kind of published file, as ComfyUI searches them.

    The first is where downloads go: ComfyUI's own, or the user's where extra_model_paths.yaml has
    `is_default`, or names a kind that ComfyUI itself does not have.
    """
    return {
        kind: [Path(folder) for folder in folder_paths.get_folder_paths(kind)] for kind in KINDS
    }


def adapter_choices() -> list[str]:
    """Adapter files to choose from; where there are none, one entry that says so."""
    return adapter_names() or [NO_FILE]


def explain_adapter(name: str) -> str | None:
    """Reason why there is no such adapter file, and what to do; None when there is one."""
    return _explain(name, ADAPTERS, "Expected an adapter file in", "Expected the adapter file")


def identity_net_choices() -> list[str]:
    """ControlNet files to choose from, the published IdentityNet first; where there are none, one
    entry that says so."""
    names = folder_paths.get_filename_list(CONTROL_NETS)
    return sorted(names, key=lambda name: Path(name) != Path(PUBLISHED_IDENTITY_NET)) or [NO_FILE]


def identity_net_path(name: str) -> str:
    """Absolute path of a ControlNet file. Raises IncompatibleModelError when there is none."""
    reason = explain_identity_net(name)
    if reason is not None:
        raise IncompatibleModelError(reason)
    return folder_paths.get_full_path_or_raise(CONTROL_NETS, name)


def identity_net_state(name: str | None) -> str:
    """Changes when a ControlNet file does. None for a name that a wire brings."""
    names = folder_paths.get_filename_list(CONTROL_NETS)
    path = folder_paths.get_full_path(CONTROL_NETS, name) if name in names else None
    return file_state(Path(path)) if path else "missing"


def explain_identity_net(name: str) -> str | None:
    """Reason why there is no such ControlNet file, and what to do; None when there is one."""
    return _explain(name, CONTROL_NETS, "Expected an IdentityNet in", "Expected the IdentityNet")


def _explain(name: str, kind: str, any_file: str, this_file: str) -> str | None:
    names = folder_paths.get_filename_list(kind)
    if name in names:
        return None
    folders = "; ".join(folder_paths.get_folder_paths(kind))
    if not names:
        return printable(f"{any_file} {folders}; found none. {HOW_TO_GET}")
    return printable(
        f"{this_file} {name} in {folders}; found {', '.join(names)}. Choose one of "
        f"these. {HOW_TO_GET}"
    )
