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

from instantid_core.types import Extent

from .autoencoder_training import album_latents, load_autoencoder
from .buckets import add_album_arguments, album_sizes, load_album
from .diffusion import add_noise, offset_noise, signal_shares, size_numbers
from .face_embeddings import album_embeddings
from .foundation import load_foundation
from .instantid_training import hint_pictures, load_instantid
from .networks.autoencoder import SCALE
from .networks.denoiser import TIMESTEPS

if TYPE_CHECKING:
    from .dataset import Album

FILE = "vague.npz"
TOGETHER = 32
VAGUE_TIMES = 8
"""Times that a vague picture counts: there are fewer of them than of clear ones."""
NOISY = (0.25, 0.85)
"""First and last timestep, as shares of all: before it little is lost, after it a face is."""


def vague_album(arguments: argparse.Namespace) -> Album:
    """The first pictures of a run's album of one person, made vague."""
    run, count = arguments.folder, arguments.count
    whole = load_album(run, "single", album_sizes(arguments))
    latents = album_latents(run, whole, "single")[:count]
    album = type(whole)(**{name: values[:count] for name, values in vars(whole).items()})
    kept = run / "albums" / f"embeddings-vague-{count}.npy"
    embeddings = album_embeddings(album, arguments.recogniser, kept)
    foundation, autoencoder = load_foundation(run, None), load_autoencoder(run)
    model = load_instantid(run)
    extent = Extent(album.images.shape[2], album.images.shape[1])
    generator, parts = torch.Generator().manual_seed(arguments.seed), []
    for rows in torch.arange(count).split(TOGETHER):
        noisy, timesteps, shares = made_noisy(latents[rows], generator)
        text = foundation.encode_captions([album.captions[row] for row in rows])
        sizes = size_numbers(extent.height, extent.width, len(rows))
        hints = hint_pictures(album.keypoints[rows, 0], extent).float() / 255
        noise = model(noisy, timesteps, text, sizes, embeddings[rows], hints)
        seen = (noisy - (1 - shares).sqrt() * noise) / shares.sqrt()
        parts.append(autoencoder.decode(seen / SCALE))
    images = ((torch.cat(parts).movedim(1, -1) + 1) * 127.5).round().byte().numpy()
    return replace(album, images=images)


def made_noisy(
    latents: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents [B, 4, h, w] with noise, their timesteps [B] and shares of signal [B, 1, 1, 1]."""
    drawn = torch.rand(len(latents), generator=generator) * (NOISY[1] - NOISY[0]) + NOISY[0]
    timesteps = (drawn * TIMESTEPS).long()
    shares = signal_shares()[timesteps]
    noisy = add_noise(latents, offset_noise(latents.shape, 0.0, generator), shares)
    return noisy, timesteps, shares.view(-1, 1, 1, 1)


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
    add_album_arguments(parser)
    arguments = parser.parse_args()
    album = vague_album(arguments)
    path = arguments.folder / "albums" / FILE
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.savez(file, **vars(album))
    partial.replace(path)
    print(f"{len(album)} pictures in {path}")


if __name__ == "__main__":
    main()
