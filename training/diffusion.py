"""The diffusion process that training inverts: SDXL's noise schedule, epsilon prediction."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional

from .loop import Tensors
from .networks.denoiser import BETAS, TIMESTEPS

QUARTERS = 4
WEIGHTINGS = ("plain", "even")
"""Weights of the errors by timestep. Plain: alike, as in the paper. Even: divided by the share of
signal, which makes them errors of v (arXiv 2202.00512, appendix D), so that no timestep drowns
another.
"""


def signal_shares() -> torch.Tensor:
    """Share of signal in a noisy latent's variance at each timestep, [1000], falling."""
    first, last = BETAS
    betas = torch.linspace(first**0.5, last**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def offset_noise(shape: torch.Size, offset: float, generator: torch.Generator) -> torch.Tensor:
    """Standard normal noise [B, 4, h, w] whose mean per picture and channel moves by `offset`.

    Without it the last timestep still tells a picture's brightness, since noise averages out over
    a picture, and the model never learns to paint dark or bright ones from pure noise. SDXL was
    trained with 0.05 at 128 x 128 latents (arXiv 2307.01952, section 2.5); smaller latents leak
    more. It lies on the generator's device.
    """
    device = generator.device
    noise = torch.randn(shape, generator=generator, device=device)
    return noise + offset * torch.randn((*shape[:2], 1, 1), generator=generator, device=device)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Latents [B, 4, h, w] of unit variance, as they look where the signal's shares are [B]."""
    shares = shares.view(-1, 1, 1, 1)
    return shares.sqrt() * latents + (1 - shares).sqrt() * noise


def noise_loss(found: torch.Tensor, given: Tensors) -> tuple[torch.Tensor, Tensors]:
    """Mean squared error of the predicted noise [B, 4, h, w]; also by quarter of the timesteps.

    given: the batch's `noise`, `timesteps` [B], `places` [B, 1, h, w] of mean 1, which say how much
    each place counts, and `importance` [B], which says it of pictures. Quarters are not weighted by
    it; one that no picture fell into is NaN.
    """
    squares = functional.mse_loss(found.float(), given["noise"], reduction="none")
    errors = (squares * given["places"]).mean((1, 2, 3))
    quarters = given["timesteps"] // (TIMESTEPS // QUARTERS)
    figures = {}
    for quarter in range(QUARTERS):
        there = (quarters == quarter).float()
        figures[f"quarter_{quarter + 1}"] = (errors.detach() * there).sum() / there.sum()
    return (errors * given["importance"]).mean(), figures


def size_numbers(height: int, width: int, batch: int) -> torch.Tensor:
    """SDXL's size condition of whole pictures, [batch, 6]: size, the crop's corner and size."""
    return torch.tensor([[height, width, 0, 0, height, width]]).float().repeat(batch, 1)


def noise_in(
    unet: UNet2DConditionModel, given: Tensors, context: torch.Tensor, **residuals: Any
) -> torch.Tensor:
    """The noise that a UNet predicts, [B, 4, h, w].

    given: a batch's `noisy` latents, `timesteps` [B], `pooled` text [B, P] and `sizes` [B, 6].
    context: [B, T, C]. residuals: `residuals_of` a ControlNet.
    """
    added = {"text_embeds": given["pooled"], "time_ids": given["sizes"]}
    noisy, timesteps = given["noisy"], given["timesteps"]
    return unet(noisy, timesteps, context, added_cond_kwargs=added, **residuals).sample


def residuals_of(net: nn.Module, given: Tensors, context: torch.Tensor) -> dict[str, Any]:
    """Additions of a ControlNet to what its UNet computes, by the names of `noise_in`.

    given: as there, and `hints`, [B, 3, 8 h, 8 w] in 0..1.
    """
    added = {"text_embeds": given["pooled"], "time_ids": given["sizes"]}
    asked = given["noisy"], given["timesteps"], context, given["hints"]
    down, middle = net(*asked, added_cond_kwargs=added, return_dict=False)
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
