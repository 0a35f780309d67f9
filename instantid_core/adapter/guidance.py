"""Decoupled guidance: one scale for the text and one for the identity.

Three predictions are weighed: of the negative prompt, of the text with the negative identity, and
of the text with the identity. FastFace (arXiv 2505.21144) does so for few-step models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..errors import within

LARGEST = 100.0


class Predictions(NamedTuple):
    """Denoised latents of one step, each [B, C, H, W]; one that its scale leaves out is zero."""

    negative: torch.Tensor
    text: torch.Tensor
    """The positive prompt with the identity that the negative side has."""
    positive: torch.Tensor


@dataclass(frozen=True)
class GuidanceScales:
    """Scales of text and identity. Raises SettingError for values beyond their range."""

    text: float
    identity: float
    rescale: float = 0.0
    """Share from 0 to 1 by which the result's contrast is brought to the positive prediction's."""

    def __post_init__(self) -> None:
        for name, most in (("text", LARGEST), ("identity", LARGEST), ("rescale", 1.0)):
            within(name, getattr(self, name), 0.0, most)

    @property
    def is_plain(self) -> bool:
        """Whether this is classifier-free guidance with one scale, which needs no third row."""
        return self.text == self.identity

    @property
    def needs_negative(self) -> bool:
        return self.text != 1.0

    @property
    def needs_positive(self) -> bool:
        return self.identity != 0.0 or self.is_plain

    def with_identity(self, guided: torch.Tensor, found: Predictions) -> torch.Tensor:
        """The text's guidance [B, C, H, W] and the identity's on top of it."""
        return guided + (found.positive - found.text) * self.identity

    def rescaled(self, guided: torch.Tensor, like: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """`guided` with its noise's deviation brought to that of `like`; all [B, C, H, W].

        x: the noisy latent. As in section 3.4 of arXiv 2305.08891, on each picture by itself. The
        noise level that would turn a difference into noise is the same in both and falls out.
        """
        if not self.rescale:
            return guided
        noise, wanted = x - guided, x - like
        ratio = deviation(wanted) / deviation(noise).clamp(min=torch.finfo(noise.dtype).tiny)
        return x - noise * (self.rescale * ratio + (1.0 - self.rescale))


def deviation(noise: torch.Tensor) -> torch.Tensor:
    """Standard deviation of each picture, [B, 1, ...]."""
    return noise.std(dim=tuple(range(1, noise.ndim)), keepdim=True)
