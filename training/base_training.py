"""Train the small world's base model: `python -m training.base_training --folder RUN`.

A latent diffusion UNet of SDXL's kind and its caption encoder, trained together from nothing on
captions that say how and where, never who. The autoencoder of the same run is frozen.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .autoencoder_training import album_latents
from .command_line import loop_settings, settings_of
from .dataset import load_albums
from .diffusion import noise_in, noise_loss
from .diffusion_batches import Batches, BatchSettings, bucket_of, diffusion_parser
from .loop import Tensors, load_trained, start_from, train
from .networks.caption_encoder import CaptionConfig, CaptionEncoder, vocabulary
from .networks.denoiser import DenoiserConfig
from .world import ATTRIBUTES, BACKGROUNDS, STYLES, caption

NAME = "base"
CAPTION_DROPOUT = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""


class BaseModel(nn.Module):
    """The UNet and the caption encoder that it is trained with, for the world's captions."""

    def __init__(self) -> None:
        super().__init__()
        sizes = DenoiserConfig()
        self.unet = UNet2DConditionModel(**sizes.unet)
        captions = CaptionConfig(
            world_vocabulary(), width=sizes.context_dim, pooled_width=sizes.pooled_width
        )
        self.caption_encoder = CaptionEncoder(captions)

    def forward(self, given: Tensors) -> torch.Tensor:
        """A batch with `tokens` [B, T] and what else `noise_in` asks for -> noise [B, 4, h, w]."""
        context, pooled = self.caption_encoder(given["tokens"])
        return noise_in(self.unet, given | {"pooled": pooled}, context)


def world_vocabulary() -> tuple[str, ...]:
    """Every word that the world's captions can have."""
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
    return load_trained(BaseModel(), run / NAME)


def base_loss(model: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """The loss of a batch, some of its captions left out."""
    # Token 0 is no word, so the empty caption is all zeros.
    tokens = given["tokens"].masked_fill(given["chance"][:, None] < CAPTION_DROPOUT, 0)
    return noise_loss(model(given | {"tokens": tokens}), given)


def main() -> None:
    """Train on a run's albums with the run's autoencoder."""
    arguments = diffusion_parser(__doc__, steps=3500, batch=32, face_weight=3.0).parse_args()
    settings, run = loop_settings(arguments, NAME), arguments.folder
    base, buckets = BaseModel(), {}
    start_from(base, arguments.start)
    for kind, album in load_albums(arguments):
        tokens = torch.tensor([base.caption_encoder.tokenize(text) for text in album.captions])
        latents = album_latents(run, album, kind)
        buckets[kind] = bucket_of(album, latents, {"tokens": tokens}, arguments.face_weight)
    batches = Batches(buckets, settings_of(BatchSettings, arguments))
    train(base, batches.draw, base_loss, settings)


if __name__ == "__main__":
    main()
