"""Train the small world's base model: `python -m training.base_training --folder RUN`.

A latent diffusion UNet of SDXL's kind and its caption encoder, trained together from nothing on
captions that say how and where, never who. The autoencoder of the same run is frozen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .autoencoder_training import album_latents
from .buckets import album_sizes, load_album
from .diffusion import noise_loss
from .diffusion_batches import Batches, Bucket, batch_settings, bucket_of, diffusion_parser
from .loop import WEIGHTS_FILE, Tensors, loop_settings, start_from, train
from .networks.caption_encoder import CaptionConfig, CaptionEncoder, vocabulary
from .networks.denoiser import DenoiserConfig

NAME = "base"
DENOISER = DenoiserConfig()
CAPTION_DROPOUT = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""


class BaseModel(nn.Module):
    """The UNet and the caption encoder that it is trained with."""

    def __init__(self, denoiser: DenoiserConfig, captions: CaptionConfig) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(**denoiser.unet)
        self.caption_encoder = CaptionEncoder(captions)

    def forward(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        tokens: torch.Tensor,
        sizes: torch.Tensor,
    ) -> torch.Tensor:
        """Noisy latents [B, 4, h, w] at timesteps [B], tokens [B, T], sizes [B, 6] -> noise."""
        context, pooled = self.caption_encoder(tokens)
        added = {"text_embeds": pooled, "time_ids": sizes}
        return self.unet(noisy, timesteps, context, added_cond_kwargs=added).sample


def new_base(denoiser: DenoiserConfig = DENOISER) -> BaseModel:
    """An untrained base model for the world's captions."""
    captions = CaptionConfig(
        words=world_vocabulary(), width=denoiser.context_dim, pooled_width=denoiser.pooled_width
    )
    return BaseModel(denoiser, captions)


def world_vocabulary() -> tuple[str, ...]:
    """Every word that the world's captions can have."""
    from .world import ATTRIBUTES, BACKGROUNDS, STYLES, caption

    return vocabulary(
        [
            caption(style, background, people, ATTRIBUTES)
            for style in STYLES
            for background in BACKGROUNDS
            for people in (1, 2)
        ]
    )


def load_base(run: Path) -> BaseModel:
    """The base model that a run has trained, frozen."""
    base = new_base()
    base.load_state_dict(torch.load(run / NAME / WEIGHTS_FILE, weights_only=True))
    return base.requires_grad_(False).eval()


def load_buckets(arguments: argparse.Namespace, encoder: CaptionEncoder) -> dict[str, Bucket]:
    """The run's albums as latents and tokens; the pictures themselves are not kept."""
    sizes, buckets = album_sizes(arguments), {}
    for kind in sizes.kinds:
        album = load_album(arguments.folder, kind, sizes)
        latents = album_latents(arguments.folder, album, kind)
        tokens = torch.tensor([encoder.tokenize(caption) for caption in album.captions])
        buckets[kind] = bucket_of(album, latents, {"tokens": tokens}, arguments.face_weight)
    return buckets


def base_loss(model: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """The loss of a batch, some of its captions left out."""
    # Token 0 is no word, so the empty caption is all zeros.
    tokens = given["tokens"].masked_fill(given["chance"][:, None] < CAPTION_DROPOUT, 0)
    return noise_loss(model(given["noisy"], given["timesteps"], tokens, given["sizes"]), given)


def train_base(arguments: argparse.Namespace) -> None:
    """Train on a run's albums with the run's autoencoder."""
    settings = loop_settings(arguments, NAME)
    base = new_base()
    start_from(base, arguments.start)
    buckets = load_buckets(arguments, base.caption_encoder)
    train(base, Batches(buckets, batch_settings(arguments)).draw, base_loss, settings)


def main() -> None:
    """The command line."""
    parser = diffusion_parser(__doc__, steps=3500, face_weight=3.0)
    parser.set_defaults(batch=32)
    train_base(parser.parse_args())


if __name__ == "__main__":
    main()
