"""Train the small world's base model: `python -m training.base_training --folder RUN`.

A latent diffusion UNet of SDXL's kind and its caption encoder, trained together from nothing on
captions that say how and where, never who. The autoencoder of the same run is frozen.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .autoencoder_training import album_latents
from .buckets import (
    AlbumSizes,
    add_album_arguments,
    album_sizes,
    choose,
    cut,
    face_windows,
    load_album,
)
from .diffusion import WEIGHTINGS, add_noise, noise_loss, offset_noise, size_numbers
from .loop import (
    WEIGHTS_FILE,
    Tensors,
    add_loop_arguments,
    loop_settings,
    start_from,
    train,
)
from .networks.autoencoder import FACTOR
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
    places: torch.Tensor
    """[N, 1, h, w]: how much each place counts in the loss, of mean 1."""
    boxes: np.ndarray
    """[N, P, 4] pixels."""

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
    from .world import ATTRIBUTES, BACKGROUNDS, STYLES, caption

    return vocabulary(
        [
            caption(style, background, people, ATTRIBUTES)
            for style in STYLES
            for background in BACKGROUNDS
            for people in (1, 2)
        ]
    )


def view(
    values: torch.Tensor,
    places: torch.Tensor,
    boxes: np.ndarray,
    side: int,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Whole pictures or, half of the times, windows of `side` pixels about a face, if it is not 0.

    values: [B, C, h, w] and places [B, 1, h, w] of a batch. boxes: [B, P, 4] pixels. Gives both cut
    alike, and the size condition. A window costs less, and a face fills it.
    """
    extent = values.shape[2] * FACTOR, values.shape[3] * FACTOR
    if not side or torch.rand((), generator=generator) < 0.5:
        return values, places, size_numbers(*extent, len(values))
    face = torch.randint(boxes.shape[1], (len(boxes),), generator=generator)
    corners = face_windows(boxes[range(len(boxes)), face], extent, side, generator)
    sizes = size_numbers(*extent, len(values), corners * FACTOR, side)
    return cut(values, corners, side // FACTOR), cut(places, corners, side // FACTOR), sizes


def add_window_argument(parser: argparse.ArgumentParser) -> None:
    """The command line's size of windows."""
    parser.add_argument("--window", type=int, default=128, help="side in pixels; 0: none")


def load_base(run: Path) -> BaseModel:
    """The base model that a run has trained, frozen."""
    base = new_base()
    base.load_state_dict(torch.load(run / NAME / WEIGHTS_FILE, weights_only=True))
    return base.requires_grad_(False).eval()


def face_places(boxes: np.ndarray, extent: tuple[int, int], weight: float) -> torch.Tensor:
    """Weights of the places of latents, [N, 1, h, w] of mean 1: `weight` at a face, else 1.

    boxes: of the faces, [N, P, 4] pixels. extent: height and width in pixels.
    """
    x0, y0, x1, y1 = (torch.from_numpy(side)[..., None, None] for side in np.moveaxis(boxes, -1, 0))
    y = (torch.arange(extent[0] // FACTOR)[:, None] + 0.5) * FACTOR
    x = (torch.arange(extent[1] // FACTOR) + 0.5) * FACTOR
    inside = ((x > x0) & (x < x1) & (y > y0) & (y < y1)).any(1, keepdim=True)
    places = 1 + (weight - 1) * inside.float()
    return places / places.mean((1, 2, 3), keepdim=True)


def load_buckets(
    run: Path, sizes: AlbumSizes, encoder: CaptionEncoder, face_weight: float = 1.0
) -> dict[str, Bucket]:
    """The run's albums as latents and tokens; the pictures themselves are not kept."""
    buckets = {}
    for kind in sizes.kinds:
        album = load_album(run, kind, sizes)
        latents = album_latents(run, album, kind)
        tokens = torch.tensor([encoder.tokenize(caption) for caption in album.captions])
        places = face_places(album.boxes, album.images.shape[1:3], face_weight)
        buckets[kind] = Bucket(latents, tokens, places, album.boxes)
    return buckets


def train_base(arguments: argparse.Namespace) -> None:
    """Train on a run's albums with the run's autoencoder."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    base = new_base()
    print(f"{sum(p.numel() for p in base.parameters()) / 1e6:.2f} M parameters", flush=True)
    if arguments.start:
        print(f"{start_from(base, arguments.start)} tensors taken over", flush=True)
    sizes = album_sizes(arguments)
    buckets = load_buckets(arguments.folder, sizes, base.caption_encoder, arguments.face_weight)
    counts = {kind: len(bucket.latents) for kind, bucket in buckets.items()}

    def loss_of(model: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        bucket = buckets[kind]
        latents, places, sizes = view(
            bucket.latents[indices], bucket.places[indices], bucket.boxes[indices],
            arguments.window, generator,
        )  # fmt: skip
        tokens = bucket.tokens[indices]
        kept = torch.rand(len(indices), 1, generator=generator) >= CAPTION_DROPOUT
        noise = offset_noise(latents.shape, arguments.noise_offset, generator)
        timesteps = torch.randint(TIMESTEPS, (len(indices),), generator=generator)
        # Token 0 is no word, so the empty caption is all zeros.
        found = model(add_noise(latents, noise, timesteps), timesteps, tokens * kept, sizes)
        return noise_loss(found, noise, timesteps, arguments.weighting, places)

    train(base, loss_of, settings)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=3500)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--noise-offset", type=float, default=0.15)
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="even")
    parser.add_argument("--face-weight", type=float, default=3.0, help="of the loss at faces")
    add_window_argument(parser)
    parser.set_defaults(batch=32)
    train_base(parser.parse_args())


if __name__ == "__main__":
    main()
