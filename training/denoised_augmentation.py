"""Pictures denoised in one step, as vague as generated ones, with all that is known of the painted
ones: `python -m training.denoised_augmentation --folder RUN`.

Each is what a run's InstantID sees in a noisy latent of an album's picture, in one step. A detector
that has learned from them finds faces that are not as clear as painted ones.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .autoencoder_training import album_latents, load_autoencoder
from .buckets import AlbumSizes, add_album_arguments, album_sizes, load_album
from .diffusion import add_noise, offset_noise, signal_shares, size_numbers
from .face_embeddings import album_embeddings
from .foundation import load_foundation
from .instantid_training import NAME, Portraits, load_instantid, prepare
from .networks.autoencoder import SCALE
from .networks.denoiser import TIMESTEPS

if TYPE_CHECKING:
    from .adapter_network import InstantID
    from .dataset import Album

FILE = "vague.npz"
TOGETHER = 32
VAGUE_TIMES = 8
"""Times that a vague picture counts: there are fewer of them than of clear ones."""
NOISY = (0.25, 0.85)
"""First and last timestep, as shares of all: before it little is lost, after it a face is."""


def vague_album(run: Path, recogniser: Path, sizes: AlbumSizes, count: int, seed: int) -> Album:
    """The first `count` pictures of a run's album of one person, made vague."""
    whole = load_album(run, "single", sizes)
    embeddings = album_embeddings(whole, recogniser, run / NAME / "embeddings-single.npy")
    album = type(whole)(**{name: values[:count] for name, values in vars(whole).items()})
    latents = album_latents(run, whole, "single")[:count]
    portraits = prepare(load_foundation(run, None), album, latents, embeddings[:count])
    model, autoencoder = load_instantid(run), load_autoencoder(run)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for indices in torch.arange(count).split(TOGETHER):
        seen = see(model, portraits, indices, generator)
        parts.append(autoencoder.decode(seen / SCALE).clamp(-1, 1))
    images = ((torch.cat(parts).movedim(1, -1) + 1) * 127.5).round().byte().numpy()
    return replace(album, images=images)


def see(
    model: InstantID, portraits: Portraits, indices: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Estimate the latents behind noisy ones in one step of the model, [B, 4, h, w]."""
    latents, batch = portraits.latents[indices], len(indices)
    drawn = torch.rand(batch, generator=generator) * (NOISY[1] - NOISY[0]) + NOISY[0]
    timesteps = (drawn * TIMESTEPS).long()
    noisy = add_noise(latents, offset_noise(latents.shape, 0.0, generator), timesteps)
    sizes = size_numbers(portraits.extent.height, portraits.extent.width, batch)
    noise = model(
        noisy,
        timesteps,
        portraits.text_of(indices),
        sizes,
        portraits.embeddings[indices],
        portraits.hints(indices),
    )
    shares = signal_shares()[timesteps].view(-1, 1, 1, 1)
    return (noisy - (1 - shares).sqrt() * noise) / shares.sqrt()


def load_vague(run: Path) -> Album:
    """The album that `main` has written."""
    from .dataset import Album

    with np.load(run / "albums" / FILE) as stored:
        return Album(**{name: stored[name] for name in stored.files})


@torch.no_grad()
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder")
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    add_album_arguments(parser, AlbumSizes())
    arguments = parser.parse_args()
    sizes = album_sizes(arguments)
    run, seed = arguments.folder, arguments.seed
    album = vague_album(run, arguments.recogniser, sizes, arguments.count, seed)
    path = run / "albums" / FILE
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, **vars(album))
    partial.replace(path)
    print(f"{len(album)} pictures in {path}")


if __name__ == "__main__":
    main()
