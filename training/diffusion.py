"""The diffusion process that training inverts: SDXL's noise schedule, epsilon prediction."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

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
    more.
    """
    noise = torch.randn(shape, generator=generator)
    return noise + offset * torch.randn((*shape[:2], 1, 1), generator=generator)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """Latents [B, 4, h, w] of unit variance, as they look at timesteps [B]."""
    shares = signal_shares()[timesteps].view(-1, 1, 1, 1)
    return shares.sqrt() * latents + (1 - shares).sqrt() * noise


def noise_loss(
    found: torch.Tensor,
    noise: torch.Tensor,
    timesteps: torch.Tensor,
    weighting: str = "plain",
    places: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean squared error of the predicted noise [B, 4, h, w]; also by quarter of the timesteps.

    weighting: one of `WEIGHTINGS`. places: how much each place counts, [B, 1, h, w] of mean 1;
    None for all alike. Quarters are not weighted by the timestep; those that no sample fell into
    are left out.
    """
    noise, timesteps = noise.to(found.device), timesteps.to(found.device)
    squares = functional.mse_loss(found.float(), noise, reduction="none")
    errors = (squares if places is None else squares * places.to(found.device)).mean((1, 2, 3))
    quarters = timesteps // (TIMESTEPS // QUARTERS)
    figures = {
        f"quarter_{quarter + 1}": errors.detach()[quarters == quarter].mean()
        for quarter in range(QUARTERS)
        if bool((quarters == quarter).any())
    }
    if weighting == "even":
        return (errors / signal_shares().to(found.device)[timesteps]).mean(), figures
    return errors.mean(), figures


def size_numbers(
    height: int, width: int, batch: int, corners: np.ndarray | None = None, side: int = 0
) -> torch.Tensor:
    """SDXL's size condition, [batch, 6]: the picture's size, the crop's corner, the crop's size.

    corners: top and left in pixels, [batch, 2], of square crops; None for whole pictures.
    """
    numbers = torch.tensor([[height, width, 0, 0, height, width]]).float().repeat(batch, 1)
    if corners is not None:
        numbers[:, 2:4] = torch.from_numpy(corners)
        numbers[:, 4:] = side
    return numbers
