"""The trained models of the small world, laid out as a models folder.

Standard library only: a server is prepared before any package is needed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FILES = Path(__file__).resolve().parent / "files"
"""Files that `python -m training.export` writes."""
NETWORKS = Path(__file__).resolve().parents[2] / "training" / "networks"
"""The code of the base model's parts that ComfyUI does not have."""
BASE_MODEL = "small_world.safetensors"
ADAPTER = "small_world.bin"
FACE_ID = "small_world_faceid.bin"
"""An adapter in the form of IP-Adapter FaceID, to compare InstantID with."""
IDENTITY_NET = "small_world.safetensors"
SURROUNDINGS_NET = "small_world_surroundings.safetensors"
STYLE_CLASSIFIER = FILES / "style.onnx"
ATTRIBUTE_CLASSIFIER = FILES / "attributes.onnx"
JUDGE = FILES / "judge.onnx"
"""A recogniser that conditions nothing."""
CHECKPOINT_NODE = "SmallWorldCheckpoint"
PLACES = {
    "small_world.safetensors": f"checkpoints/{BASE_MODEL}",
    "ip-adapter.bin": f"instantid/{ADAPTER}",
    "ip-adapter-faceid.bin": f"instantid/{FACE_ID}",
    "identity_net.safetensors": f"controlnet/{IDENTITY_NET}",
    "surroundings_control_lora.safetensors": f"controlnet/{SURROUNDINGS_NET}",
    "scrfd_10g_bnkps.onnx": "insightface/models/antelopev2/scrfd_10g_bnkps.onnx",
    "glintr100.onnx": "insightface/models/antelopev2/glintr100.onnx",
}
"""Files of the world and where ComfyUI looks for them below a models folder."""


def missing() -> list[str]:
    """Files that training has yet to give."""
    judges = (STYLE_CLASSIFIER, ATTRIBUTE_CLASSIFIER, JUDGE)
    names = (*PLACES, *(path.name for path in judges))
    return [name for name in names if not (FILES / name).is_file()]


def lay_out(models: Path) -> Path:
    """Adds the small world to a models folder; its face models take the place of others."""
    for name, place in PLACES.items():
        target = models / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        link_or_copy(str(FILES / name), str(target))
    return models


def link_or_copy(source: str, target: str) -> str:
    """Puts a large file elsewhere without a second copy where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
