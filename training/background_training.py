"""Train another ControlNet: `python -m training.background_training --folder RUN`.

It follows the colours behind people. Beside it one can see whether identity leaves other nets
alone. Everything but its hint encoder and zero convolutions stays as it is in the base model, so
that its file is a Control-LoRA without low-rank parts: the host takes the rest from the model it
is used on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import nn
from torch.nn import functional

from .background_hint import places
from .buckets import album_sizes, load_album
from .diffusion import noise_loss
from .diffusion_batches import Batches, Text, batch_settings, bucket_of, diffusion_parser
from .foundation import load_foundation
from .loop import WEIGHTS_FILE, Tensors, loop_settings, train, training_device
from .networks.autoencoder import FACTOR

NAME = "surroundings"
LEARNING = ("controlnet_cond_embedding", "controlnet_down_blocks", "controlnet_mid_block")
"""The parts of a ControlNet that a UNet's encoder does not have."""
FAST = 10.0
"""Zero convolutions learn faster: while they are small, the hint encoder learns little."""


class SurroundingsControl(nn.Module):
    """A frozen UNet, and a ControlNet of which only the added parts are trained."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet.requires_grad_(False)
        self.net = ControlNetModel.from_unet(unet)
        let_through(self.net.controlnet_cond_embedding)
        for name, value in self.net.named_parameters():
            value.requires_grad_(name.startswith(LEARNING))

    def forward(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        text: Text,
        sizes: torch.Tensor,
        hints: torch.Tensor,
    ) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w]; hints: [B, 3, 8 h, 8 w] in 0..1."""
        context, pooled = text
        added = {"text_embeds": pooled, "time_ids": sizes}
        residuals, middle = self.net(
            noisy, timesteps, context, hints, added_cond_kwargs=added, return_dict=False
        )
        return self.unet(
            noisy,
            timesteps,
            context,
            down_block_additional_residuals=residuals,
            mid_block_additional_residual=middle,
            added_cond_kwargs=added,
        ).sample


def let_through(hint_encoder: nn.Module) -> None:
    """Start a hint encoder so that it passes the hint on (He et al., arXiv 1502.01852).

    As ControlNets are published its last layer starts at zero, like the zero convolutions behind
    it: neither learns of the hint before the other has moved. One zero is enough to start at the
    base model.
    """
    for layer in hint_encoder.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def pace(name: str) -> float:
    """Learning rate of a parameter, as a multiple of the learning rate."""
    return 1.0 if ".blocks." in name or ".conv_in." in name else FAST


def surroundings_loss(network: nn.Module, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """The loss of a batch; its hints are one number for each place of the latents."""
    text = given["context"], given["pooled"]
    hints = functional.interpolate(given["hints"], scale_factor=FACTOR)
    return noise_loss(
        network(given["noisy"], given["timesteps"], text, given["sizes"], hints), given
    )


def train_surroundings(arguments: argparse.Namespace) -> None:
    """Train on a run's album of one person, on its own base model."""
    settings = loop_settings(arguments, NAME)
    foundation = load_foundation(arguments.folder, None)
    album = load_album(arguments.folder, "single", album_sizes(arguments))
    captions, text = foundation.encode_distinct(album.captions)
    latents = foundation.latents_of(album, "single")
    bucket = bucket_of(album, latents, {"captions": captions}, arguments.face_weight, text)
    drawn = np.stack([places(*pair) for pair in zip(album.images, album.boxes, strict=True)])
    hints = torch.from_numpy(drawn).movedim(-1, 1).to(training_device())
    bucket = replace(bucket, cells=bucket.cells | {"hints": hints})
    batches = Batches({"single": bucket}, batch_settings(arguments))
    train(SurroundingsControl(foundation.unet), batches.draw, surroundings_loss, settings, pace)


def load_surroundings_weights(run: Path) -> Tensors:
    """The trained parts of a run's net, in diffusers' names of a ControlNet."""
    weights = torch.load(run / NAME / WEIGHTS_FILE, weights_only=True)
    return {name.removeprefix("net."): value for name, value in weights.items()}


def main() -> None:
    """The command line."""
    parser = diffusion_parser(__doc__, steps=1000, face_weight=1.0)
    parser.set_defaults(window=0)
    train_surroundings(parser.parse_args())


if __name__ == "__main__":
    main()
