"""Train the small world's base model: `python -m training.base_training --folder RUN`.

A latent diffusion UNet of SDXL's kind and its caption encoder, trained together from nothing on
captions that say how and where, never who. The autoencoder of the same run is frozen.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .autoencoder_training import encode_all, load_autoencoder
from .buckets import AlbumSizes, add_album_arguments, album_sizes, choose, load_album
from .diffusion import WEIGHTINGS, add_noise, noise_loss, offset_noise, size_numbers
from .loop import WEIGHTS_FILE, Tensors, add_loop_arguments, channels_last, loop_settings, train
from .networks.autoencoder import FACTOR, SCALE
from .networks.caption_encoder import CaptionConfig, CaptionEncoder, vocabulary
from .networks.denoiser import TIMESTEPS, DenoiserConfig

NAME = "base"
DENOISER = DenoiserConfig()
CAPTION_DROPOUT = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""


@dataclass(frozen=True)
class Bucket:
    """Data that base training takes from an album."""

    latents: torch.Tensor
    """[N, 4, h, w], unit variance."""
    tokens: torch.Tensor
    """[N, T] int64."""

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.latents.shape[2] * FACTOR, self.latents.shape[3] * FACTOR


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
    from .world import BACKGROUNDS, STYLES, caption

    return vocabulary(
        [
            caption(style, background, people)
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


def load_buckets(run: Path, sizes: AlbumSizes, encoder: CaptionEncoder) -> dict[str, Bucket]:
    """The run's albums as latents and tokens; the pictures themselves are not kept."""
    autoencoder = channels_last(load_autoencoder(run))
    buckets = {}
    for kind in sizes.kinds:
        album = load_album(run, kind, sizes)
        latents = encode_all(autoencoder, torch.from_numpy(album.images)) * SCALE
        tokens = torch.tensor([encoder.tokenize(caption) for caption in album.captions])
        buckets[kind] = Bucket(latents, tokens)
    return buckets


def train_base(arguments: argparse.Namespace) -> None:
    """Train on a run's albums with the run's autoencoder."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    base = new_base()
    print(f"{sum(p.numel() for p in base.parameters()) / 1e6:.2f} M parameters", flush=True)
    buckets = load_buckets(arguments.folder, album_sizes(arguments), base.caption_encoder)
    counts = {kind: len(bucket.latents) for kind, bucket in buckets.items()}

    def loss_of(model: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        bucket = buckets[kind]
        latents, tokens = bucket.latents[indices], bucket.tokens[indices]
        kept = torch.rand(len(indices), 1, generator=generator) >= CAPTION_DROPOUT
        noise = offset_noise(latents.shape, arguments.noise_offset, generator)
        timesteps = torch.randint(TIMESTEPS, (len(indices),), generator=generator)
        sizes = size_numbers(*bucket.extent, len(indices))
        # Token 0 is no word, so the empty caption is all zeros.
        found = model(add_noise(latents, noise, timesteps), timesteps, tokens * kept, sizes)
        return noise_loss(found, noise, timesteps, arguments.weighting)

    train(base, loss_of, settings)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=3500)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--noise-offset", type=float, default=0.15)
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="even")
    parser.set_defaults(batch=32)
    train_base(parser.parse_args())


if __name__ == "__main__":
    main()
