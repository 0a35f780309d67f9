"""The pack's readers of files and texts from elsewhere, with a whole file for each.

The property tests and the fuzzer bring bytes; `hostile_changes` makes hostile files of them.
"""

import hashlib
import io
import json
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from safetensors import safe_open
from safetensors.torch import save

from instantid_core.adapter import checkpoint
from instantid_core.adapter.image_adapter import IdentityAdapter
from instantid_core.adapter.sd15_checkpoint import joined, part_of
from instantid_core.errors import InstantIDError, TensorFileError, printable
from instantid_core.identity import direction_file, identity_file
from instantid_core.keypoints import pose_json
from instantid_core.libraries.onnx_check import require_own_data
from instantid_core.models.manifest import ModelFile
from instantid_core.models.retrieval import unpack
from instantid_core.types import Direction, Evidence, IdentityEmbedding, Person, Recogniser
from instantid_core.weights.safetensors_check import require_sound_safetensors
from instantid_core.weights.torch_zip import read_archive
from support.model_server import zipped
from tools.small_world.adapter import AdapterSizes, FaceIDSizes, adapter_weights, flat

SMALL = AdapterSizes((64, 64), depth=1)
FACE_ID = FaceIDSizes((64, 64), tokens=2, rank=1)
FACE = [[0.2, 0.2], [0.4, 0.2], [0.3, 0.3], [0.2, 0.4], [0.4, 0.4]]
POSE = json.dumps({"version": 1, "extent": [64, 48], "faces": [FACE]})
REFUSALS = (InstantIDError, TensorFileError)
SITES = ("down_blocks.0.attentions.0", "up_blocks.1.attentions.0")
MEMBER = ModelFile("", "model.onnx", 2000, hashlib.sha256(bytes(2000)).hexdigest())


@dataclass(frozen=True)
class Reader:
    """One reader of the pack, and a whole file for it."""

    whole: bytes
    read: Callable[[Path], object]

    def accepts(self, path: Path) -> bool:
        """Whether the file is read; False is a sentence. Whatever else is raised is a crash."""
        try:
            self.read(path)
        except REFUSALS as error:
            if not str(error).strip() or printable(str(error)) != str(error):
                raise AssertionError("a refusal without a sentence that can be shown") from error
            # ComfyUI logs what led to it, too.
            "".join(traceback.format_exception(error)).encode("utf-8")
            return False
        return True


def read_safetensors_adapter(path: Path) -> object:
    """As the pack's loader does, with the safetensors library in ComfyUI's place."""
    require_sound_safetensors(path)
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        raw = {name: file.get_tensor(name) for name in names}
    return _adapter(raw)


def read_torch_adapter(path: Path) -> object:
    """As the pack's loader does."""
    return _adapter(read_archive(path))


def _adapter(raw: dict[Any, Any]) -> object:
    found = checkpoint.read_checkpoint(raw, "hostile")
    return IdentityAdapter.from_checkpoint(found, torch.nn)


def read_pose(path: Path) -> object:
    """The text of a widget, which is text whatever its bytes are."""
    return pose_json.from_json(path.read_bytes().decode("utf-8", "replace"))


def read_split_adapter(path: Path) -> object:
    """One of the two files, as the pack's loader does; the other one is whole."""
    raw = read_archive(path)
    part = part_of(raw)
    if part is None:
        return _adapter(raw)
    image_proj = adapter_weights(SMALL)["image_proj"]
    return _adapter(joined({"image_proj": image_proj, part: raw}))


def read_model_archive(path: Path) -> object:
    """What is fetched for the face models."""
    target = path.with_name("unpacked") / MEMBER.name
    return unpack(path, {target: MEMBER})


def _layers() -> bytes:
    names = (f"{site}.transformer_blocks.0.attn2.processor" for site in SITES)
    weights = iter(adapter_weights(SMALL)["ip_adapter"].values())
    buffer = io.BytesIO()
    torch.save({f"{name}.to_{k}_ip.weight": next(weights) for name in names for k in "kv"}, buffer)
    return buffer.getvalue()


def _onnx() -> bytes:
    weights = onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    node = onnx.helper.make_node("Constant", [], ["y"], value=weights)
    graph = onnx.helper.make_graph([node], "g", [], [], initializer=[weights])
    return onnx.helper.make_model(graph).SerializeToString()


def _archive(sizes: AdapterSizes | FaceIDSizes = SMALL) -> bytes:
    buffer = io.BytesIO()
    torch.save(adapter_weights(sizes), buffer)
    return buffer.getvalue()


def _identity() -> bytes:
    portrait = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    person = Person("Anna", portrait, "signed")
    identity = IdentityEmbedding(torch.ones(1, 2, 512), Recogniser("0" * 64), person)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.safetensors")
        identity_file.write(path, identity, identity_file.Notes())
        return path.read_bytes()


def _direction() -> bytes:
    evidence = Evidence(8, 9, False, 0.875)
    direction = Direction(torch.ones(512), 1.5, Recogniser("0" * 64), "glasses", evidence)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.safetensors")
        direction_file.write(path, direction)
        return path.read_bytes()


def readers() -> dict[str, Reader]:
    """All of them, by name."""
    return {
        "adapter as safetensors": Reader(
            save(flat(adapter_weights(SMALL))), read_safetensors_adapter
        ),
        "adapter by torch.save": Reader(_archive(), read_torch_adapter),
        "FaceID as safetensors": Reader(
            save(flat(adapter_weights(FACE_ID))), read_safetensors_adapter
        ),
        "FaceID by torch.save": Reader(_archive(FACE_ID), read_torch_adapter),
        "adapter for SD 1.5": Reader(_layers(), read_split_adapter),
        "identity": Reader(_identity(), identity_file.read),
        "person of an identity": Reader(_identity(), identity_file.summary),
        "direction": Reader(_direction(), direction_file.read),
        "face model": Reader(_onnx(), require_own_data),
        "archive": Reader(zipped({MEMBER.name: bytes(MEMBER.size)}), read_model_archive),
        "pose": Reader(POSE.encode(), read_pose),
    }
