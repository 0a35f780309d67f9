"""The diffusion process that training inverts: SDXL's noise schedule, epsilon prediction."""

from __future__ import annotations

import torch
from torch.nn import functional

from .networks.denoiser import BETAS, TIMESTEPS

QUARTERS = 4


def signal_shares() -> torch.Tensor:
    """How much of a noisy latent's variance is signal at each timestep, [1000], falling."""
    first, last = BETAS
    betas = torch.linspace(first**0.5, last**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


def add_noise(latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """Latents [B, 4, h, w] of unit variance, as they look at timesteps [B]."""
    shares = signal_shares()[timesteps].view(-1, 1, 1, 1)
    return shares.sqrt() * latents + (1 - shares).sqrt() * noise


def noise_loss(
    found: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean squared error of the predicted noise [B, 4, h, w]; also by quarter of the timesteps.

    Quarters that no sample fell into are left out.
    """
    errors = functional.mse_loss(found.float(), noise, reduction="none").mean((1, 2, 3))
    quarters = timesteps // (TIMESTEPS // QUARTERS)
    figures = {
        f"quarter_{quarter + 1}": errors.detach()[quarters == quarter].mean()
        for quarter in range(QUARTERS)
        if bool((quarters == quarter).any())
    }
    return errors.mean(), figures


def size_numbers(height: int, width: int, batch: int) -> torch.Tensor:
    """SDXL's size condition of whole pictures, [batch, 6]: size, crop at 0, and size again."""
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).repeat(
        batch, 1
    )
