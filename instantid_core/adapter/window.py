"""When an identity acts: spans of the denoising process, and the rows of one UNet call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import torch

from ..errors import SettingError
from ..types import Polarity


class Span(NamedTuple):
    """Part of the denoising process, as fractions: 0 is pure noise, 1 the finished picture."""

    start: float
    end: float

    @property
    def is_everything(self) -> bool:
        return self.start <= 0 and self.end >= 1


def span(start_at: float, end_at: float) -> Span:
    """Check a start and an end. Raises SettingError when the span is empty or out of range."""
    if not (0 <= start_at <= 1 and 0 <= end_at <= 1):
        raise SettingError(
            f"start_at and end_at are fractions from 0 to 1, found {start_at} and {end_at}."
        )
    if start_at >= end_at:
        raise SettingError(
            f"start_at ({start_at}) does not lie before end_at ({end_at}), so the identity would "
            "never act. Swap the two, or set the weight to 0 to switch it off."
        )
    return Span(start_at, end_at)


CURVES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "fade in": lambda progress: progress,
    "fade out": lambda progress: 1 - progress,
    "peak": lambda progress: 1 - abs(2 * progress - 1),
}
"""Factor on the weight at a point of the span, whose progress runs from 0 to 1."""
CONSTANT = "constant"
SEARCH_STEPS = 12
"""Halvings in the search for a noise level's place: finer than any sampler's steps."""


class Area(NamedTuple):
    """Part of the latent that a row covers, in latent cells."""

    top: int
    left: int
    height: int
    width: int


class Latent(NamedTuple):
    """Size of a latent batch, in pictures and cells."""

    batch: int
    height: int
    width: int


class Row(NamedTuple):
    """One row of a UNet batch."""

    polarity: Polarity
    batch_index: int
    """Position of the row's picture in the latent batch."""
    area: Area | None
    """None when the row covers the whole latent."""
    latent: Latent | None
    """The whole latent batch; None when not known."""


class Groups(NamedTuple):
    """Rows of a call, taken together where neighbours use the same entry."""

    entries: tuple[int, ...]
    """Of each group, its entry in a flattened [2 * identities, ...]."""
    size: int
    """Rows per group."""


@dataclass(frozen=True, eq=False)
class BatchRows:
    """The rows of one UNet or ControlNet call."""

    rows: tuple[Row, ...]
    _groups: dict[int, Groups] = field(default_factory=dict, kw_only=True)

    @property
    def batch(self) -> int:
        """Pictures in the latent batch."""
        first = self.rows[0].latent
        return first.batch if first else 1 + max(row.batch_index for row in self.rows)

    def entries(self, identities: int) -> tuple[int, ...]:
        """Which entry of a flattened [2 * identities, ...] tensor each row uses.

        A batch of N identities goes over the latent batch picture by picture, and round again.
        """
        return tuple(row.polarity * identities + row.batch_index % identities for row in self.rows)

    def groups(self, identities: int) -> Groups:
        """The same in groups of equal size, as large as they come."""
        if identities not in self._groups:
            entries = self.entries(identities)
            size = math.gcd(*(len(list(same)) for _, same in groupby(entries)))
            self._groups[identities] = Groups(entries[::size], size)
        return self._groups[identities]


@dataclass(frozen=True, eq=False)
class SamplingRows(BatchRows):
    """What the attention sites must know of one UNet call; made once per call.

    Answers are kept for the length of that call, so that 70 sites cost one look at sigma.
    """

    sigma: torch.Tensor
    """Noise level of this call, one element, any device."""
    percent_to_sigma: Callable[[float], float]
    read: Callable[[torch.Tensor], float] = field(default=float, kw_only=True)
    """Sigma as a number; on a GPU this waits for all work that is under way."""
    gathered: dict[int, torch.Tensor] = field(default_factory=dict, kw_only=True)
    """Keys and values that all sites of this call share (`keys_values.Buffers`)."""
    _spans: dict[Span, bool] = field(default_factory=dict, kw_only=True)
    _factors: dict[tuple[str, Span], float] = field(default_factory=dict, kw_only=True)

    def active(self, window: Span) -> bool:
        """Whether this call lies inside the window. Reads sigma only for a partial window."""
        if window.is_everything:
            return True
        if window not in self._spans:
            start, end = self.percent_to_sigma(window.start), self.percent_to_sigma(window.end)
            self._spans[window] = start >= self.noise_level >= end
        return self._spans[window]

    def factor(self, curve: str, window: Span) -> float:
        """What a curve over the window's steps makes of the weight in this call."""
        if curve == CONSTANT:
            return 1.0
        if (curve, window) not in self._factors:
            length = max(window.end - window.start, 1e-6)
            progress = min(max((self._progress() - window.start) / length, 0.0), 1.0)
            self._factors[curve, window] = CURVES[curve](progress)
        return self._factors[curve, window]

    def _progress(self) -> float:
        """How far the denoising is, 0..1: the inverse of percent_to_sigma, by bisection."""
        low, high = 0.0, 1.0
        for _ in range(SEARCH_STEPS):
            middle = (low + high) / 2
            is_later = self.percent_to_sigma(middle) > self.noise_level
            low, high = (middle, high) if is_later else (low, middle)
        return (low + high) / 2

    @cached_property
    def noise_level(self) -> float:
        """Sigma as a number, read once at most."""
        return self.read(self.sigma)
