"""Train an adapter in the form of IP-Adapter FaceID, to compare InstantID with.

`python -m training.face_id_training --folder RUN --recogniser RUN/recogniser/glintr100.onnx`. The
base model is frozen. As in IP-Adapter's training, text and identity are each left out of some
pictures; pictures, weighting of the loss and windows are those of InstantID's training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from .base_training import add_window_argument, view
from .buckets import AlbumSizes, add_album_arguments, choose
from .diffusion import WEIGHTINGS, add_noise, noise_loss, offset_noise
from .face_id_network import FaceID
from .foundation import Text, load_foundation
from .instantid_training import kernels_for, load_portraits
from .loop import Tensors, add_loop_arguments, load_trained, loop_settings, train
from .networks.denoiser import TIMESTEPS

NAME = "face_id"
LEFT_OUT = 0.1
"""Share of the pictures without text, and without identity; half of each are without both."""


def train_face_id(arguments: argparse.Namespace) -> None:
    """Train projection, keys, values and LoRA on a run's base model, or on a published one."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    foundation = load_foundation(arguments.folder, arguments.pretrained)
    portraits = load_portraits(arguments, foundation)
    counts = {kind: len(album.latents) for kind, album in portraits.items()}
    _, empty = foundation.encode_distinct([""])

    def loss_of(network: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        kind, indices = choose(counts, arguments.batch, generator)
        album = portraits[kind]
        latents, places, sizes = view(
            album.latents[indices],
            album.places[indices],
            album.boxes[indices],
            arguments.window,
            generator,
        )
        noise = offset_noise(latents.shape, arguments.noise_offset, generator)
        timesteps = torch.randint(TIMESTEPS, (len(indices),), generator=generator)
        text, embeddings = without_some(
            album.text_of(indices), album.embeddings[indices], empty, generator
        )
        noisy = add_noise(latents, noise, timesteps)
        with kernels_for(latents.device):
            found = network(noisy, timesteps, text, sizes, embeddings)
        return noise_loss(found, noise, timesteps, arguments.weighting, places)

    train(FaceID(foundation.unet), loss_of, settings)


def without_some(
    text: Text, embeddings: torch.Tensor, empty: Text, generator: torch.Generator
) -> tuple[Text, torch.Tensor]:
    """Text and embeddings [B, 512] of a batch, some of them replaced: by the empty text, by zeros.

    empty: context [1, T, C] and pooled [1, P].
    """
    drawn = torch.rand(len(embeddings), generator=generator)
    no_text = drawn < LEFT_OUT
    nobody = (drawn > LEFT_OUT / 2) & (drawn < 1.5 * LEFT_OUT)
    context = torch.where(no_text[:, None, None], empty[0], text[0])
    pooled = torch.where(no_text[:, None], empty[1], text[1])
    return (context, pooled), embeddings.masked_fill(nobody[:, None], 0)


def load_face_id(run: Path) -> FaceID:
    """The adapter that a run has trained on its own base model, frozen."""
    return load_trained(FaceID(load_foundation(run, None).unet), run / NAME)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=4000)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--noise-offset", type=float, default=0.15)
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="even")
    parser.add_argument("--face-weight", type=float, default=1.0, help="of the loss at a face")
    parser.add_argument("--recogniser", type=Path, required=True, help="the file glintr100.onnx")
    parser.add_argument("--pretrained", type=Path, help="an SDXL pipeline in diffusers' layout")
    add_window_argument(parser)
    parser.set_defaults(batch=32, ema_decay=0.999)
    train_face_id(parser.parse_args())


if __name__ == "__main__":
    main()
