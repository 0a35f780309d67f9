"""A batch for the small models, with as little work per picture as possible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from instantid_core.identity import Notes, identity_file
from instantid_core.types import EMBEDDING_WIDTH, IdentityEmbedding, Recogniser
from tools.comfyui.prompts import Prompt
from tools.small_world.random_files import ADAPTER_FILE, CHECKPOINT_NODE

SIDE = 64
IDENTITIES = ("anna", "ben")


def write_identities(folder: Path) -> None:
    """Writes identities where Load Identity looks for them, below `folder`."""
    target = folder / "output" / "identities"
    target.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(IDENTITIES):
        generator = torch.Generator().manual_seed(number)
        numbers = torch.randn(1, 1, EMBEDDING_WIDTH, generator=generator)
        identity = IdentityEmbedding(numbers, Recogniser("0" * 64))
        identity_file.write(target / f"{name}.safetensors", identity, Notes())


def portrait(number: int, side: int = SIDE, steps: int = 1) -> Prompt:
    """A prompt for a picture of one identity; `number` selects it and is the seed."""
    identity = f"{IDENTITIES[number % len(IDENTITIES)]}.safetensors"
    sampling = {"steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal"}
    return {
        "1": node(CHECKPOINT_NODE),
        "2": node("CLIPTextEncode", text="portrait of a person", clip=["1", 1]),
        "3": node("InstantIDLoadAdapter", adapter_name=ADAPTER_FILE),
        "4": node("InstantIDLoadIdentity", identity_name=identity),
        "5": node(
            "InstantIDApplyAdapter",
            **{"model": ["1", 0], "adapter": ["3", 0], "identity": ["4", 0]},
            **{"weight": 0.8, "start_at": 0.0, "end_at": 1.0},
        ),
        "6": node("EmptyLatentImage", width=side, height=side, batch_size=1),
        "7": node(
            "KSampler",
            **{"model": ["5", 0], "positive": ["2", 0], "negative": ["2", 0]},
            **{"latent_image": ["6", 0], "seed": number, "denoise": 1.0, **sampling},
        ),
        "8": node("VAEDecode", samples=["7", 0], vae=["1", 2]),
        "9": saved(["8", 0]),
    }


def copied(picture: str) -> Prompt:
    """A prompt that loads a picture and saves it again."""
    return {"1": node("LoadImage", image=picture), "2": saved(["1", 0])}


def saved(images: list[Any]) -> dict[str, Any]:
    """A node that saves images."""
    return node("SaveImage", images=images, filename_prefix="batch")


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node of a prompt, without a title."""
    return {"class_type": class_type, "inputs": inputs}


def write_prompts(path: Path, prompts: Mapping[str, Prompt]) -> Path:
    """Writes a file of named prompts."""
    lines = (json.dumps({"name": name, "prompt": prompt}) for name, prompt in prompts.items())
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
