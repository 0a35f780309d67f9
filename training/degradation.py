"""Damage as of a small autoencoder and a small diffusion model, as augmentation.

Each picture of a batch draws its own strengths; a share of the pictures stays as painted. Random
numbers come from the given generator alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

UNTOUCHED = 0.2
"""Share of pictures that stay as they are."""
SMALLEST_SCALE = 0.4
"""Of down-sampling before up-sampling again; the largest strengths follow, of pictures in 0..1."""
NOISE, BLOTCHES = 0.04, 0.05
"""Standard deviations: of noise per pixel, and of noise that varies over 16 pixels."""
COLOUR = 0.06
"""Change of each channel's gain."""
BRIGHTNESS, CONTRAST = 0.08, 0.12


def unit_pictures(images: np.ndarray) -> torch.Tensor:
    """[N, H, W, 3] uint8 -> [N, 3, H, W] in 0..1."""
    return torch.from_numpy(images).movedim(-1, 1).float() / 255


def degrade(
    pictures: torch.Tensor, generator: torch.Generator, smallest_scale: float = SMALLEST_SCALE
) -> torch.Tensor:
    """[B, 3, H, W] in 0..1, -> the same shape and range, made worse.

    Which pictures stay untouched and which damage the others take goes by their place in the
    batch, to spend no time on what is thrown away: their order has to be random.
    """
    kept = round(len(pictures) * UNTOUCHED)
    changed = _blurred(pictures[kept:], generator)
    changed = _resampled(changed, generator, smallest_scale)
    changed = _recoloured(changed, generator)
    changed = changed + _blotches(changed, generator)
    noise = torch.randn(changed.shape, generator=generator)
    changed = changed + noise * _strengths(changed, generator, NOISE)
    return torch.cat([pictures[:kept], changed.clamp(0, 1)])


def _uniform(pictures: torch.Tensor, generator: torch.Generator, channels: int) -> torch.Tensor:
    """[B, channels, 1, 1] in 0..1, one draw per picture."""
    return torch.rand((len(pictures), channels, 1, 1), generator=generator)


def _strengths(pictures: torch.Tensor, generator: torch.Generator, largest: float) -> torch.Tensor:
    """[B, 1, 1, 1] in 0..largest, weak ones more often."""
    return largest * _uniform(pictures, generator, 1).square()


def _resampled(pictures: torch.Tensor, generator: torch.Generator, smallest: float) -> torch.Tensor:
    """Half of the batch, in parts of one scale each, as one call resizes to one size."""
    parts = list(pictures.chunk(4))
    for number, part in enumerate(parts[::2]):
        scale = smallest + (1 - smallest) * float(torch.rand((), generator=generator))
        size = [max(8, round(side * scale)) for side in part.shape[-2:]]
        small = functional.interpolate(part, size, mode="bilinear", antialias=scale < 0.7)
        parts[2 * number] = functional.interpolate(small, part.shape[-2:], mode="bilinear")
    return torch.cat(parts)


def _blurred(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Blur at random, from a little sharper to one pass of a 5 x 5 binomial filter."""
    # Sums of shifted pictures take a third of the time of convolutions by channel on a CPU.
    soft = functional.pad(pictures, (2, 2, 2, 2), mode="replicate")
    for _ in range(2):
        soft = soft[..., :-1, :] + soft[..., 1:, :]
        soft = soft[..., :-1, :] + soft[..., 1:, :]
        soft = soft[..., :-1] + soft[..., 1:]
        soft = soft[..., :-1] + soft[..., 1:]
    return torch.lerp(pictures, soft / 256, _uniform(pictures, generator, 1) * 1.4 - 0.4)


def _recoloured(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    def symmetric(largest: float, channels: int) -> torch.Tensor:
        return largest * (2 * _uniform(pictures, generator, channels) - 1)

    gain = (1 + symmetric(CONTRAST, 1)) * (1 + symmetric(COLOUR, 3))
    return (pictures - 0.5) * gain + 0.5 + symmetric(BRIGHTNESS, 1)


def _blotches(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    batch, channels, height, width = pictures.shape
    shape = (batch, channels, max(2, height // 16), max(2, width // 16))
    coarse = torch.randn(shape, generator=generator)
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")
    return smooth * _strengths(pictures, generator, BLOTCHES)
