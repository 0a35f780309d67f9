"""The pack's readers of files and texts from elsewhere, with a whole file for each.

The property tests and the fuzzer bring bytes; `hostile_changes` makes hostile files of them.
"""

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from instantid_core.adapter import checkpoint
from instantid_core.adapter.image_adapter import IdentityAdapter
from instantid_core.errors import InstantIDError, TensorFileError
from instantid_core.identity import identity_file
from instantid_core.keypoints import pose_json
from instantid_core.types import IdentityEmbedding
from instantid_core.weights.safetensors_check import require_sound_safetensors
from instantid_core.weights.torch_zip import read_archive
from tools.small_world.adapter import AdapterSizes, adapter_weights, flat

SMALL = AdapterSizes((64, 64), depth=1)
FACE = [[0.2, 0.2], [0.4, 0.2], [0.3, 0.3], [0.2, 0.4], [0.4, 0.4]]
POSE = json.dumps({"version": 1, "extent": [64, 48], "faces": [FACE]})
REFUSALS = (InstantIDError, TensorFileError)


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
            if not str(error).strip():
                raise AssertionError("a refusal without a sentence") from error
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


def _archive() -> bytes:
    buffer = io.BytesIO()
    torch.save(adapter_weights(SMALL), buffer)
    return buffer.getvalue()


def _identity() -> bytes:
    identity = IdentityEmbedding(torch.ones(1, 2, 512), "0" * 64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.safetensors")
        identity_file.write(path, identity, identity_file.Notes())
        return path.read_bytes()


def readers() -> dict[str, Reader]:
    """All of them, by name."""
    return {
        "adapter as safetensors": Reader(
            save(flat(adapter_weights(SMALL))), read_safetensors_adapter
        ),
        "adapter by torch.save": Reader(_archive(), read_torch_adapter),
        "identity": Reader(_identity(), identity_file.read),
        "pose": Reader(POSE.encode(), read_pose),
    }
