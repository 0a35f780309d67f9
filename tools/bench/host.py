"""A ComfyUI inside this process, with the pack loaded by the host's own loader."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tools.comfyui.environment import REPOSITORY
from tools.small_world import random_models as small_models
from tools.small_world.scenes import Prompt, conditioning, photo


def start_host() -> ModuleType:
    """Import ComfyUI from COMFYUI_PATH and return its module `nodes`."""
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    # The host logs its devices and memory, which would appear between the tables.
    logging.disable(logging.INFO)
    small_models.use_cpu_without_gpu()
    return importlib.import_module("nodes")


class Pack:
    """The pack as the host loaded it."""

    def __init__(self, host_nodes: ModuleType) -> None:
        before = set(sys.modules)
        if not asyncio.run(host_nodes.load_custom_node(str(REPOSITORY))):
            raise RuntimeError("ComfyUI's loader refused the pack; see its reason above")
        core = next(n for n in set(sys.modules) - before if n.endswith(".instantid_core"))
        self.name = core.removesuffix(".instantid_core")
        self.node_classes: dict[str, Any] = host_nodes.NODE_CLASS_MAPPINGS

    def module(self, path: str) -> ModuleType:
        """A module of the pack, such as `nodes.apply` or `instantid_core.types`."""
        return importlib.import_module(f"{self.name}.{path}")

    def run(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """Execute a node."""
        return self.node_classes[node_id].execute(**inputs).result


@dataclass(frozen=True)
class Scene:
    """The parts that measured variants consist of."""

    pack: Pack
    model: Any
    adapter: Any
    control_net: Any
    analyzer: Any
    faces: Any
    identity: Any
    prompt: Prompt


def use_models(folder: Path) -> None:
    """Write the small models and let the host search for models only there."""
    import folder_paths

    small_models.write_models(folder)
    folder_paths.models_dir = str(folder)
    folder_paths.add_model_folder_path("controlnet", str(folder / "controlnet"), is_default=True)
    folder_paths.set_temp_directory(str(folder / "temp"))


def build_scene(host_nodes: ModuleType) -> Scene:
    """Load every small model and find the identity of a drawn face."""
    from tools.small_world.node.small_sdxl import small_unet

    pack = Pack(host_nodes)
    run = pack.run
    (analyzer,) = run("InstantIDLoadFaceAnalyzer", model_pack="antelopev2", provider="cpu")
    how = {"select": "largest", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    faces = run("InstantIDAnalyzeFaces", analyzer=analyzer, image=photo(), **how)[0]
    return Scene(
        pack=pack,
        model=small_unet(),
        adapter=run("InstantIDLoadAdapter", adapter_name=small_models.ADAPTER_FILE)[0],
        control_net=_load_control_net(host_nodes),
        analyzer=analyzer,
        faces=faces,
        identity=run("InstantIDEmbedIdentity", faces=faces, combine="average")[0],
        prompt=Prompt(conditioning("portrait of a person"), conditioning("blurry")),
    )


def _load_control_net(host_nodes: ModuleType) -> Any:
    """The small IdentityNet. The host first logs an error about its unknown width."""
    logging.disable(logging.ERROR)
    try:
        return host_nodes.ControlNetLoader().load_controlnet(small_models.CONTROLNET_FILE)[0]
    finally:
        logging.disable(logging.INFO)


def machine() -> dict[str, str]:
    """Versions and hardware that the figures depend on."""
    import comfyui_version

    on_gpu = torch.cuda.is_available()
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "-"
    return {
        "ComfyUI": comfyui_version.__version__,
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "sampling on": torch.cuda.get_device_name() if on_gpu else "CPU, one thread",
        "load average": load,
    }
