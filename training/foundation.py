"""Frozen models that InstantID is trained on: a UNet, and how pictures and captions reach it.

Either the small world's own base model or a published SDXL in diffusers' layout.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel

from .autoencoder_training import album_latents
from .base_training import load_base
from .buckets import pictures_of
from .diffusion_batches import Text

if TYPE_CHECKING:
    from .dataset import Album


@dataclass(frozen=True)
class Foundation:
    """Frozen models."""

    unet: UNet2DConditionModel
    latents_of: Callable[[Album, str], torch.Tensor]
    """An album and its kind -> latents [N, 4, H / 8, W / 8] of unit variance."""
    encode_captions: Callable[[list[str]], Text]
    """N captions -> context [N, T, C] and pooled [N, P]."""

    def encode_distinct(self, captions: list[str]) -> tuple[torch.Tensor, Text]:
        """N captions -> for each its row, [N] int64, and the text of the distinct ones."""
        distinct = sorted(set(captions))
        places = {caption: place for place, caption in enumerate(distinct)}
        rows = torch.tensor([places[caption] for caption in captions])
        return rows, self.encode_captions(distinct)


def add_foundation_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's frozen models."""
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--pretrained", type=Path, help="an SDXL pipeline in diffusers' layout")


def load_foundation(run: Path, pretrained: Path | None) -> Foundation:
    """The run's own base model, or a pipeline folder of diffusers where one is named."""
    return _published(pretrained) if pretrained else _own(run)


def _own(run: Path) -> Foundation:
    base = load_base(run)

    @torch.no_grad()
    def encode_captions(captions: list[str]) -> Text:
        encoder = base.caption_encoder
        return encoder(torch.tensor([encoder.tokenize(caption) for caption in captions]))

    return Foundation(base.unet, partial(album_latents, run), encode_captions)


def _published(folder: Path) -> Foundation:
    from diffusers import StableDiffusionXLPipeline

    pipeline: Any = StableDiffusionXLPipeline.from_pretrained(folder)
    vae = pipeline.vae.requires_grad_(False)

    @torch.no_grad()
    def latents_of(album: Album, _kind: str) -> torch.Tensor:
        images = torch.from_numpy(album.images).split(1)
        parts = [vae.encode(pictures_of(part)).latent_dist.mean for part in images]
        return torch.cat(parts) * vae.config.scaling_factor

    @torch.no_grad()
    def encode_captions(captions: list[str]) -> Text:
        context, _, pooled, _ = pipeline.encode_prompt(captions, do_classifier_free_guidance=False)
        return context, pooled

    return Foundation(pipeline.unet, latents_of, encode_captions)
