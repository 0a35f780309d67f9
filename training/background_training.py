"""Train another ControlNet: `python -m training.background_training --folder RUN`.

It follows the colours behind people. Beside it one can see whether identity leaves other nets
alone. Everything but its hint encoder and zero convolutions stays as it is in the base model, so
that its file is a Control-LoRA without low-rank parts: the host takes the rest from the model it
is used on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from torch import nn

from .background_hint import colours
from .buckets import AlbumSizes, add_album_arguments, album_sizes, load_album
from .diffusion import WEIGHTINGS, add_noise, noise_loss, offset_noise, size_numbers
from .foundation import Text, load_foundation
from .instantid_training import kernels_for
from .loop import WEIGHTS_FILE, Tensors, add_loop_arguments, loop_settings, train
from .networks.denoiser import TIMESTEPS

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


def train_surroundings(arguments: argparse.Namespace) -> None:
    """Train on a run's album of one person, on its own base model."""
    settings = loop_settings(arguments, NAME)
    torch.manual_seed(settings.seed)
    foundation = load_foundation(arguments.folder, None)
    album = load_album(arguments.folder, "single", album_sizes(arguments))
    latents = foundation.latents_of(album, "single")
    rows, (context, pooled) = foundation.encode_distinct(album.captions)
    model = SurroundingsControl(foundation.unet)

    def loss_of(network: nn.Module, generator: torch.Generator) -> tuple[torch.Tensor, Tensors]:
        indices = torch.randint(len(latents), (arguments.batch,), generator=generator)
        drawn = [colours(album.images[i], album.boxes[i]) for i in indices.tolist()]
        chosen = latents[indices]
        noise = offset_noise(chosen.shape, arguments.noise_offset, generator)
        timesteps = torch.randint(TIMESTEPS, (len(indices),), generator=generator)
        text = context[rows[indices]], pooled[rows[indices]]
        height, width = album.images.shape[1:3]
        sizes = size_numbers(height, width, len(indices))
        hints = torch.from_numpy(np.stack(drawn)).movedim(-1, 1).contiguous()
        noisy = add_noise(chosen, noise, timesteps)
        with kernels_for(chosen.device):
            found = network(noisy, timesteps, text, sizes, hints)
        return noise_loss(found, noise, timesteps, arguments.weighting)

    train(model, loss_of, settings, pace)


def load_surroundings_weights(run: Path) -> Tensors:
    """The trained parts of a run's net, in diffusers' names of a ControlNet."""
    weights = torch.load(run / NAME / WEIGHTS_FILE, weights_only=True)
    return {name.removeprefix("net."): value for name, value in weights.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser, steps=1000)
    add_album_arguments(parser, AlbumSizes())
    parser.add_argument("--noise-offset", type=float, default=0.15)
    parser.add_argument("--weighting", choices=WEIGHTINGS, default="even")
    parser.set_defaults(batch=16)
    train_surroundings(parser.parse_args())


if __name__ == "__main__":
    main()
