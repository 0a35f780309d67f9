"""Train another ControlNet: `python -m training.background_training --folder RUN`.

It follows the colours behind people. Beside it one can see whether identity leaves other nets
alone. Everything but its hint encoder and zero convolutions stays as it is in the base model, so
that its file is a Control-LoRA without low-rank parts: the host takes the rest from the model it
is used on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import nn
from torch.nn import functional

from .background_hint import places
from .command_line import loop_settings, settings_of
from .dataset import load_album
from .diffusion import noise_in, noise_loss, residuals_of
from .diffusion_batches import Batches, BatchSettings, diffusion_parser
from .foundation import load_foundation
from .loop import WEIGHTS_FILE, Tensors, train, training_device
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

    def forward(self, given: Tensors) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w].

        given: what `noise_in` and `residuals_of` ask for, and the text's `context` [B, T, C].
        """
        residuals = residuals_of(self.net, given, given["context"])
        return noise_in(self.unet, given, given["context"], **residuals)


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
    hints = functional.interpolate(given["hints"], scale_factor=FACTOR)
    return noise_loss(network(given | {"hints": hints}), given)


def load_surroundings_weights(run: Path) -> Tensors:
    """The trained parts of a run's net, in diffusers' names of a ControlNet."""
    weights = torch.load(run / NAME / WEIGHTS_FILE, weights_only=True)
    return {name.removeprefix("net."): value for name, value in weights.items()}


def main() -> None:
    """Train on a run's album of one person, on its own base model."""
    arguments = diffusion_parser(__doc__, steps=1000, window=0).parse_args()
    settings, foundation = loop_settings(arguments, NAME), load_foundation(arguments.folder)
    album = load_album(arguments, "single")
    bucket = foundation.bucket(album, "single", {}, arguments.face_weight)
    drawn = np.stack([places(*pair) for pair in zip(album.images, album.boxes, strict=True)])
    hints = torch.from_numpy(drawn).movedim(-1, 1).to(training_device())
    bucket = replace(bucket, cells=bucket.cells | {"hints": hints})
    batches = Batches({"single": bucket}, settings_of(BatchSettings, arguments))
    train(SurroundingsControl(foundation.unet), batches.draw, surroundings_loss, settings, pace)


if __name__ == "__main__":
    main()
