"""Train a recogniser that reads latents: `python -m training.latent_recogniser --folder RUN`.

From the latents of a picture it gives the embedding that the run's recogniser gives of the picture
itself, so that a training of InstantID can be told how much a person is recognised in what it
predicts (`instantid_training --identity-weight`), without decoding a picture. It learns from whole
latents and from windows, blurred and noisy as predicted ones are.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .adapter_network import EMBEDDING_WIDTH
from .alignment import crop_grid
from .command_line import loop_settings, settings_of
from .diffusion_batches import BatchSettings, Bucket, diffusion_parser, lots_of, view
from .foundation import add_foundation_arguments, load_foundation, portraits
from .loop import Draw, Tensors, train
from .networks.autoencoder import FACTOR, GROUPS, LATENT_CHANNELS, ResidualBlock

NAME = "latent_recogniser"
SIDE = 16
"""Latent numbers along a side of an aligned crop."""
COVERED = 0.75
"""Share of a crop that has to lie in the view for the face to be read."""
BLURRED = 0.5
"""Share of the latents that are blurred, by up to a mean over three by three cells."""
NOISE = 0.25
"""Largest deviation of noise in latents of deviation 1."""
WIDTHS = (64, 128, 192)


class LatentRecogniser(nn.Module):
    """Aligned crops of latents [N, 4, 16, 16], of unit variance -> embeddings [N, 512]."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.layers = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, first, 3, padding=1), ResidualBlock(first), nn.AvgPool2d(2),
            nn.Conv2d(first, second, 3, padding=1), ResidualBlock(second), nn.AvgPool2d(2),
            nn.Conv2d(second, third, 3, padding=1), nn.GroupNorm(GROUPS, third), nn.SiLU(),
            nn.Flatten(), nn.Linear(third * (SIDE // 4) ** 2, EMBEDDING_WIDTH),
        )  # fmt: skip

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.layers(crops)


def latent_crops(
    latents: torch.Tensor, back: torch.Tensor, sizes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Aligned crops [N, 4, 16, 16] of faces in latents [N, 4, h, w], and the share [N] of each that
    lies inside; the border goes on outside.

    back: `alignment.ways_back` of the faces in the whole pictures. sizes: [N, 6] of the views,
    as `size_numbers` gives them.
    """
    height, width = (FACTOR * count for count in latents.shape[2:])
    grid = crop_grid(back, SIDE, (height, width), sizes[:, 2:4])
    inside = (grid.abs() < 1).all(-1).float().mean((1, 2))
    crops = functional.grid_sample(latents, grid, padding_mode="border", align_corners=False)
    return crops, inside


def latent_faces(buckets: dict[str, Bucket], settings: BatchSettings) -> Draw:
    """Draws crops of latents, some of them damaged, with the embeddings of their pictures.

    `crops` [B, 4, 16, 16], `embeddings` [B, 512], `inside` [B].
    """
    lots = lots_of(buckets, settings)

    def draw(generator: torch.Generator) -> Tensors:
        kind, rows = lots.draw(generator)
        bucket, side = buckets[kind], settings.side(generator)
        seen = view(bucket, rows, side, lots.own, settings.window_spread)
        latents = damaged(seen["latents"], lots.own)
        crops, inside = latent_crops(latents, bucket.told["back"][rows], seen["sizes"])
        return {"crops": crops, "inside": inside, "embeddings": bucket.told["embeddings"][rows]}

    return draw


def damaged(latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Latents [B, 4, h, w], half of them blurred, all a little noisy."""
    size, device = (3, len(latents), 1, 1, 1), latents.device
    chance, blur, noise = torch.rand(size, generator=generator, device=device)
    padded = functional.pad(latents, (1, 1, 1, 1), mode="replicate")
    soft = torch.lerp(latents, functional.avg_pool2d(padded, 3, 1), blur)
    grain = torch.randn(latents.shape, generator=generator, device=device)
    return torch.where(chance < BLURRED, soft, latents) + NOISE * noise * grain


def embedding_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """1 - cosine, over faces that lie in their view."""
    cosines = functional.cosine_similarity(network(given["crops"]), given["embeddings"])
    counts = (given["inside"] > COVERED).float()
    mean = (cosines * counts).sum() / counts.sum().clamp(min=1)
    return 1 - mean, {"cosine": mean.detach()}


def main() -> None:
    """Train on a run's albums of one person."""
    parser = diffusion_parser(
        __doc__, steps=700, batch=64, learning_rate=2e-3, warmup=70, window_share=0.6
    )
    add_foundation_arguments(parser)
    arguments = parser.parse_args()
    settings = loop_settings(arguments, NAME)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    buckets = {kind: bucket for kind, _, bucket in portraits(arguments, foundation)}
    draw = latent_faces(buckets, settings_of(BatchSettings, arguments))
    train(LatentRecogniser(), draw, embedding_loss, settings)


if __name__ == "__main__":
    main()
