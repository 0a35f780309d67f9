"""Photos, prompts and sampling runs that host tests and benchmarks share."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from . import painter


def photo(identity: int = 0, width: int = 512, height: int = 512, **pose: Any) -> torch.Tensor:
    """IMAGE of one painted face."""
    picture = painter.canvas(width, height)
    side = min(width, height)
    settings = {"center": (width / 2, height / 2), "size": side * 0.5, **pose}
    painter.paint_face(picture, identity=identity, **settings)
    return torch.from_numpy(picture.astype(np.float32) / 255).unsqueeze(0)


def png(pixels: np.ndarray) -> bytes:
    """A picture [H, W, 3] uint8 as a file, to be uploaded."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


class Prompt(NamedTuple):
    positive: list[Any]
    negative: list[Any]


def conditioning(text: str, context_dim: int = 64) -> list[list[Any]]:
    """Conditioning from the small text encoder, as CLIPTextEncode would return it."""
    from .node.small_sdxl import POOLED_WIDTH
    from .node.stand_ins import WordEncoder

    encoder = WordEncoder(context_dim, POOLED_WIDTH)
    return [list(e) for e in encoder.encode_from_tokens_scheduled(encoder.tokenize(text))]


def sample(
    model: Any,
    positive: list[Any],
    negative: list[Any],
    *,
    cfg: float = 4.5,
    steps: int = 2,
    size: tuple[int, int] = (128, 128),
    batch: int = 1,
    seed: int = 7,
) -> torch.Tensor:
    """The host's sampler on an empty latent; size is (width, height) in pixels."""
    import comfy.sample

    latent = torch.zeros(batch, 4, size[1] // 8, size[0] // 8)
    noise = comfy.sample.prepare_noise(latent, seed)
    return comfy.sample.sample(
        model, noise, steps, cfg, "euler", "normal", positive, negative, latent, seed=seed
    )
