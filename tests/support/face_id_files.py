"""IP-Adapter FaceID with random weights and the face models that it wants, for the small SDXL."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file

from tools.small_world import antelope
from tools.small_world import random_files as small_models
from tools.small_world.adapter import FaceIDSizes, adapter_weights
from tools.small_world.recogniser import build_recogniser

NAME = "ip-adapter-faceid_sdxl.bin"
SITE = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")


def write_buffalo(models: Path) -> None:
    """The face models, under the names of buffalo_l; tests that share a folder may each do it."""
    folder = models / "insightface" / "models" / "buffalo_l"
    folder.mkdir(parents=True, exist_ok=True)
    antelope.build_detector(folder / "det_10g.onnx")
    build_recogniser(folder / "w600k_r50.onnx")


def write_face_id(models: Path) -> None:
    """The adapter, its LoRA in the file as in the published one."""
    small = load_file(models / "instantid" / small_models.ADAPTER_FILE)
    sites = {int(found[1]): key for key in small if (found := SITE.fullmatch(key))}
    widths = tuple(small[sites[number]].shape[0] for number in sorted(sites))
    weights = adapter_weights(FaceIDSizes(widths, rank=2), seed=5)
    torch.save(weights, models / "instantid" / NAME)
