"""Identity attention at one cross-attention site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from .adapter import SiteKeysValues
from .masks import Region
from .schedule import CONSTANT, SamplingRows, Span

Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(q [B, L, C], k [B, T, C], v [B, T, C]) -> [B, L, C]; heads and precision are bound in."""


@dataclass(frozen=True, eq=False)
class SiteIdentity:
    """One identity at one site: what `apply` adds to the attention that is there already."""

    keys_values: SiteKeysValues
    weight: float
    window: Span
    region: Region | None
    curve: str = CONSTANT

    def to(self, device: torch.device) -> SiteIdentity:
        """On another device; itself where nothing changes."""
        moved = self.keys_values.to(device=device)
        return self if moved is self.keys_values else replace(self, keys_values=moved)

    def delta(
        self,
        q: torch.Tensor,
        rows: SamplingRows,
        grid: tuple[int, int],
        attention: Attention,
    ) -> torch.Tensor | None:
        """`weight * mask * attention(q, K, V)` as [B, L, C], or None outside the window.

        q: [B, L, C], one row per entry of `rows`. grid: height and width of the L tokens.
        """
        if not self.weight or not rows.active(self.window):
            return None
        stored = self.keys_values.to(device=q.device, dtype=q.dtype)
        index = rows.gather_index(stored.keys.shape[1], q.device)
        keys, values = (part.flatten(0, 1).index_select(0, index) for part in stored)
        out = attention(q, keys, values) * (self.weight * rows.factor(self.curve, self.window))
        if self.region is not None:
            out = out * self.region.for_rows(rows, grid, out).flatten(1).unsqueeze(-1)
        return out


def site_identities(
    keys_values: Sequence[SiteKeysValues],
    weights: Sequence[float],
    window: Span,
    region: Region | None,
    curve: str = CONSTANT,
) -> tuple[SiteIdentity, ...]:
    """One identity at every site: its projected keys and values with a weight each."""
    return tuple(
        SiteIdentity(projected, weight, window, region, curve)
        for projected, weight in zip(keys_values, weights, strict=True)
    )
