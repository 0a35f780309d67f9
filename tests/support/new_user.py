"""A new user's machine before InstantID: ComfyUI, ComfyUI-Manager, an SDXL checkpoint and
a photo. And the mirror from which the models come, with small ones that really work.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import safetensors.torch
import torch

from tools.comfyui import workspace
from tools.comfyui.server import HostServer
from tools.registry import checkout
from tools.small_world import painter
from tools.small_world import random_files as small_models

from . import managed
from .model_server import ModelServer, zipped
from .small_files import DETECTOR, RECOGNISER, served_by_mirror, small_downloads, write_small_list

CHECKPOINT = "checkpoints/sd_xl_base_1.0.safetensors"
LIST = "instantid_core/models/model_files.json"


@dataclass(frozen=True)
class Machine:
    """A running server, its folder, and what the user brings along."""

    server: HostServer
    base: Path
    url_of_the_pack: str
    photo: Path


@contextmanager
def machine(base: Path) -> Iterator[Machine]:
    """The pack waits in a repository on this disk. Its one difference from the working tree is that
    the list of published files has the sizes and hashes of the small ones."""
    contents = working_files(workspace.small_models(workspace.current()), base)
    origin = checkout.copy_of_the_tree(base / "origin" / workspace.PACK)
    write_small_list(origin / LIST, contents)
    checkout.keep(origin, "Small models")
    photo = base / "me.png"
    cv2.imwrite(str(photo), painter.portrait(480, 480, identity=5)[0][:, :, ::-1])
    downloads = small_downloads(base, contents)
    with (
        ModelServer(served_by_mirror(downloads, contents)) as mirror,
        checkout.served(origin) as url,
    ):
        launch = managed.launch(base / "comfyui", {"INSTANTID_COMPOSE_MIRROR": mirror.url})
        own_checkpoint(base / "comfyui")
        # ComfyUI comes with it; templates name it.
        shutil.copy2(launch.comfyui / "input" / "example.png", base / "comfyui" / "input")
        with HostServer(launch) as server:
            yield Machine(server, base / "comfyui", url, photo)


def own_checkpoint(base: Path) -> None:
    """The checkpoint that the user has: the name of the usual one, and the small SDXL behind it."""
    file = base / "models" / CHECKPOINT
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"stands in for a file of 6.9 GB")
    pack = base / "custom_nodes" / "own-checkpoint"
    workspace.copy_fresh(workspace.SMALL_NODE, pack)
    shutil.move(pack / "own_checkpoint.py", pack / "__init__.py")


def working_files(models: Path, scratch: Path) -> dict[str, bytes]:
    """The three downloads with random weights, in the published forms, by id; files by name."""
    faces = models / "insightface" / "models" / "antelopev2"
    members = {name: (faces / name).read_bytes() for name in (DETECTOR, RECOGNISER)}
    return {
        "adapter": nested_adapter(models / "instantid" / small_models.ADAPTER_FILE, scratch),
        "identitynet": (models / "controlnet" / small_models.CONTROLNET_FILE).read_bytes(),
        "face_models": zipped({f"antelopev2/{name}": data for name, data in members.items()}),
        **members,
    }


def nested_adapter(flat: Path, scratch: Path) -> bytes:
    """A flat safetensors adapter as the nested file of torch.save that is published."""
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in safetensors.torch.load_file(flat).items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    path = scratch / "ip-adapter.bin"
    torch.save(parts, path)
    return path.read_bytes()
