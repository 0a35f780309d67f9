"""Text encoder and VAE of the small checkpoint: simple, deterministic, driven by their input."""

from __future__ import annotations

import re
import zlib
from typing import Any

import comfy.latent_formats
import comfy.model_management
import torch

TOKENS = 77
PATCH = 8
"""Pixels per latent cell."""


class WordEncoder:
    """Every word has a fixed random vector; a prompt is the sequence of its words."""

    def __init__(self, context_dim: int, pooled_width: int) -> None:
        self.context_dim = context_dim
        self.pooled_width = pooled_width
        self.cond_stage_model = torch.nn.Module()
        """Attribute in which LoRA loaders search for layers."""

    def clone(self) -> WordEncoder:
        return self

    def add_patches(self, *_: Any) -> tuple[str, ...]:
        """Take nothing of a LoRA: there is no layer."""
        return ()

    def tokenize(self, text: str, **_: Any) -> list[str]:
        return re.findall(r"\w+", text.lower())[:TOKENS]

    def encode_from_tokens_scheduled(
        self, tokens: list[str], **_: Any
    ) -> list[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
        words = tokens + [""] * (TOKENS - len(tokens))
        context = torch.stack([_vector(word, self.context_dim) for word in words])
        pooled = torch.stack([_vector(word, self.pooled_width) for word in tokens or [""]]).mean(0)
        return [(context.unsqueeze(0), {"pooled_output": pooled.unsqueeze(0)})]


class ColourVAE:
    """Latents to colours by the host's own preview factors, and back by their pseudo-inverse.

    Contrast is evened out per picture, since a random UNet gives latents of any size.
    """

    def __init__(self) -> None:
        self.factors = torch.tensor(comfy.latent_formats.SDXL().latent_rgb_factors)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """[B, 4, h, w] -> [B, 8 h, 8 w, 3] in 0..1."""
        colour = torch.einsum("bchw,cr->brhw", latent.float().cpu(), self.factors)
        even = (colour - colour.mean((2, 3), True)) / colour.std((2, 3), keepdim=True).clamp(
            min=1e-6
        )
        large = torch.nn.functional.interpolate(even, scale_factor=PATCH, mode="bicubic")
        picture = (large / 5 + 0.5).clamp(0, 1).movedim(1, -1)
        return picture.to(comfy.model_management.intermediate_device())

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B, H, W, 3] in 0..1 -> [B, 4, H / 8, W / 8]."""
        small = torch.nn.functional.avg_pool2d(pixels[..., :3].movedim(-1, 1).float().cpu(), PATCH)
        return torch.einsum("brhw,rc->bchw", (small - 0.5) * 2, torch.linalg.pinv(self.factors))


def _vector(word: str, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(word.encode()))
    return torch.randn(width, generator=generator)
