"""Train the small world's autoencoder: `python -m training.autoencoder_training --folder RUN`.

L1, a Laplacian pyramid that keeps small features sharp (Optimizing the Latent Space of Generative
Networks, arXiv 1707.05776, section 3), and a small Kullback-Leibler term (Latent Diffusion, arXiv
2112.10752, appendix G).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .buckets import (
    AlbumSizes,
    add_album_arguments,
    album_sizes,
    choose,
    cut,
    face_windows,
    load_albums,
    pictures_of,
)
from .face_embeddings import remembered
from .loop import (
    WEIGHTS_FILE,
    Tensors,
    add_loop_arguments,
    channels_last,
    loop_settings,
    start_from,
    train,
)
from .networks.autoencoder import FACTOR, LATENT_CHANNELS, SCALE, Autoencoder

if TYPE_CHECKING:
    from .dataset import Album

NAME = "autoencoder"
STATISTICS_FILE = "statistics.pt"
BATCH = 64
"""Pictures that are encoded at once where nothing is trained."""
ENCODERS_PACE = 0.3
"""Learning rate of an encoder that was trained before: a UNet that knows its latents still does."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss's terms."""

    edges: float = 1.0
    divergence: float = 1e-5
    """Per latent number; keeps latents near a unit Gaussian without blurring pictures."""
    pyramid_levels: int = 2


def pyramid_loss(found: torch.Tensor, wanted: torch.Tensor, levels: int) -> torch.Tensor:
    """L1 between Laplacian pyramids of pictures [B, 3, H, W], the finest level first."""
    error, total = found - wanted, found.new_zeros(())
    for _ in range(levels):
        coarse = functional.avg_pool2d(error, 2)
        total = total + (error - functional.interpolate(coarse, scale_factor=2)).abs().mean()
        error = coarse
    return total + error.abs().mean()


def autoencoder_loss(
    network: nn.Module, pictures: torch.Tensor, noise: torch.Tensor, weights: LossWeights
) -> tuple[torch.Tensor, Tensors]:
    """The loss on pictures [B, 3, H, W] in -1..1, and its terms."""
    found, mean, log_variance = network(pictures, noise)
    found = found.float()
    flat = (found - pictures).abs().mean()
    edges = pyramid_loss(found, pictures, weights.pyramid_levels)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    total = flat + weights.edges * edges + weights.divergence * divergence
    terms = {"l1": flat, "edges": edges, "divergence": divergence}
    return total, {name: value.detach() for name, value in terms.items()}


def crops_of(
    album: Album, indices: torch.Tensor, side: int, generator: torch.Generator
) -> torch.Tensor:
    """Squares of some pictures, most of them about a face: [B, 3, side, side] in -1..1.

    A side of 0 takes whole pictures.
    """
    images = album.images[indices]
    if side:
        corners = face_windows(album.boxes[indices, 0], images.shape[1:3], side, generator)
        images = cut(images, corners * FACTOR, side, axis=1)
    return pictures_of(torch.from_numpy(images))


@torch.no_grad()
def encode_all(autoencoder: Autoencoder, images: torch.Tensor) -> torch.Tensor:
    """[N, H, W, 3] uint8 -> latents [N, 4, H / 8, W / 8] in the host's unit: posterior means."""
    parts = [autoencoder.encode(pictures_of(part)) for part in images.split(BATCH)]
    return torch.cat(parts).contiguous()


def album_latents(run: Path, album: Album, kind: str) -> torch.Tensor:
    """Latents [N, 4, h, w] of unit variance of a run's album, by its autoencoder; kept on disk."""
    source = run / NAME / WEIGHTS_FILE

    def compute() -> np.ndarray:
        images = torch.from_numpy(album.images)
        return (encode_all(channels_last(load_autoencoder(run)), images) * SCALE).numpy()

    return remembered(run / NAME / f"latents-{kind}-{len(album)}.npy", source, compute)


@torch.no_grad()
def measure_statistics(
    autoencoder: Autoencoder, images: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of raw latents per channel, each [4], over some pictures."""
    raw = torch.cat(
        [
            autoencoder.posterior(pictures_of(part))[0].movedim(1, 0).flatten(1)
            for album in images
            for part in album.split(BATCH)
        ],
        dim=1,
    )
    return raw.mean(1), raw.std(1)


def load_autoencoder(run: Path) -> Autoencoder:
    """The autoencoder that a run has trained, with its statistics."""
    autoencoder = Autoencoder()
    folder = run / NAME
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    weights |= torch.load(folder / STATISTICS_FILE, weights_only=True)
    autoencoder.load_state_dict(weights)
    return autoencoder.requires_grad_(False).eval()


def train_autoencoder(arguments: argparse.Namespace) -> None:
    """Train on a run's albums, then measure the latents' statistics."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    albums = load_albums(arguments.folder, album_sizes(arguments))
    counts = {kind: len(album) for kind, album in albums.items()}
    weights = LossWeights(divergence=arguments.divergence)
    network = channels_last(Autoencoder())
    if arguments.start:
        print(f"{start_from(network, arguments.start)} tensors taken over", flush=True)

    def loss_of(model: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        pictures = crops_of(albums[kind], indices, arguments.crop, generator)
        height, width = pictures.shape[2] // FACTOR, pictures.shape[3] // FACTOR
        shape = (arguments.batch, LATENT_CHANNELS, height, width)
        return autoencoder_loss(model, pictures, torch.randn(shape, generator=generator), weights)

    def pace(name: str) -> float:
        return ENCODERS_PACE if arguments.start and name.startswith("encoder.") else 1.0

    network.load_state_dict(train(network, loss_of, settings, pace), strict=False)
    network.eval()
    images = {kind: torch.from_numpy(album.images) for kind, album in albums.items()}
    mean, deviation = measure_statistics(network, [part[:1000] for part in images.values()])
    statistics = {"latent_mean": mean, "latent_deviation": deviation}
    torch.save(statistics, settings.folder / STATISTICS_FILE)
    print(f"latent mean {mean.tolist()}, deviation {deviation.tolist()}")
    write_examples(load_autoencoder(arguments.folder), images["single"][:8], settings.folder)


@torch.no_grad()
def write_examples(autoencoder: Autoencoder, images: torch.Tensor, folder: Path) -> None:
    """Write pictures above their reconstructions, and print the error."""
    from PIL import Image

    pictures = pictures_of(images)
    again = autoencoder.decode(autoencoder.encode(pictures))
    error = (again - pictures).square().mean() / 4
    print(f"PSNR {-10 * error.log10().item():.2f} dB on {len(images)} pictures")
    rows = [torch.cat(list(part.movedim(1, -1)), dim=1) for part in (pictures, again)]
    sheet = ((torch.cat(rows) + 1) * 127.5).round().clamp(0, 255).byte()
    Image.fromarray(sheet.numpy()).save(folder / "examples.png")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=3000)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--crop", type=int, default=96, help="side of the crops; 0: whole pictures")
    parser.add_argument(
        "--divergence",
        type=float,
        default=LossWeights.divergence,
        help="weight of the Kullback-Leibler term; smaller keeps more detail",
    )
    train_autoencoder(parser.parse_args())


if __name__ == "__main__":
    main()
