"""The autoencoder between pictures and latents: factor 8, four channels, as SDXL's.

Most of the work happens at a quarter of the resolution, after a pixel unshuffle, which is what
makes it cheap enough to train on two CPU cores (ESPCN, arXiv 1609.05158, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

LATENT_CHANNELS = 4
FACTOR = 8
"""Pixels per latent cell, along each side."""
SCALE = 0.13025
"""Factor of SDXL's latent format between latents and the UNet."""
SHUFFLE = 4
GROUPS = 8


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of the autoencoder; widths are multiples of 8."""

    encoder_widths: tuple[int, int] = (48, 96)
    """Channels at a quarter and at an eighth of the picture's resolution."""
    decoder_widths: tuple[int, int] = (96, 256)
    encoder_depths: tuple[int, int] = (1, 1)
    """Residual blocks at a quarter and at an eighth of the resolution."""
    decoder_depths: tuple[int, int] = (3, 3)


class ResidualBlock(nn.Module):
    """Two convolutions, each behind a group norm and SiLU, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_norm(width), nn.Conv2d(width, width, 3, padding=1))
        self.second = nn.Sequential(*_norm(width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.first(x))


def _norm(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(GROUPS, width), nn.SiLU()


def _blocks(width: int, depth: int) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(depth)]


class Autoencoder(nn.Module):
    """A variational autoencoder whose latents are normalised by statistics kept as buffers.

    `posterior` and `reconstruct` work on raw latents, for its own training; `encode` and `decode`
    on latents in the host's unit, which have unit variance after SDXL's factor 0.13025.
    """

    latent_mean: torch.Tensor
    latent_deviation: torch.Tensor

    def __init__(self, config: AutoencoderConfig = AutoencoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _decoder(config)
        self.register_buffer("latent_mean", torch.zeros(LATENT_CHANNELS))
        self.register_buffer("latent_deviation", torch.ones(LATENT_CHANNELS))

    def posterior(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures [B, 3, H, W] in -1..1 -> mean and log variance, each [B, 4, H / 8, W / 8]."""
        moments = self.encoder(functional.pixel_unshuffle(pictures, SHUFFLE))
        mean, log_variance = moments.float().chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)

    def reconstruct(self, latents: torch.Tensor) -> torch.Tensor:
        """Raw latents [B, 4, h, w] -> pictures [B, 3, 8 h, 8 w], about -1..1, not clamped."""
        return functional.pixel_shuffle(self.decoder(latents), SHUFFLE)

    def forward(
        self, pictures: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For training: the reconstruction from a sampled latent, the mean and log variance.

        noise: standard normal, [B, 4, H / 8, W / 8].
        """
        mean, log_variance = self.posterior(pictures)
        latents = mean + noise * (log_variance / 2).exp()
        return self.reconstruct(latents), mean, log_variance

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] in -1..1 -> latents [B, 4, H / 8, W / 8] in the host's unit."""
        mean, _ = self.posterior(pictures)
        return (mean - self._shaped(self.latent_mean)) / self._shaped(self.latent_deviation) / SCALE

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, 4, h, w] in the host's unit -> pictures [B, 3, 8 h, 8 w] in -1..1."""
        raw = latents * SCALE * self._shaped(self.latent_deviation) + self._shaped(self.latent_mean)
        return self.reconstruct(raw).clamp(-1, 1)

    @staticmethod
    def _shaped(statistics: torch.Tensor) -> torch.Tensor:
        return statistics.view(1, -1, 1, 1)


def _encoder(config: AutoencoderConfig) -> nn.Sequential:
    shallow, deep = config.encoder_widths
    return nn.Sequential(
        nn.Conv2d(3 * SHUFFLE**2, shallow, 3, padding=1),
        *_blocks(shallow, config.encoder_depths[0]),
        nn.Conv2d(shallow, deep, 3, stride=2, padding=1),
        *_blocks(deep, config.encoder_depths[1]),
        *_norm(deep),
        nn.Conv2d(deep, 2 * LATENT_CHANNELS, 3, padding=1),
    )


def _decoder(config: AutoencoderConfig) -> nn.Sequential:
    shallow, deep = config.decoder_widths
    return nn.Sequential(
        nn.Conv2d(LATENT_CHANNELS, deep, 3, padding=1),
        *_blocks(deep, config.decoder_depths[1]),
        # A 1x1 convolution and a shuffle cost a ninth of upsampling and then convolving.
        nn.Conv2d(deep, 4 * shallow, 1),
        nn.PixelShuffle(2),
        *_blocks(shallow, config.decoder_depths[0]),
        *_norm(shallow),
        nn.Conv2d(shallow, 3 * SHUFFLE**2, 3, padding=1),
    )
