"""Identity attention at one cross-attention site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ..errors import one_of
from .insertion import ADD, INSERTION
from .keys_values import SiteKeysValues
from .masks import Region
from .reach import Applied
from .rows import SamplingRows
from .window import CONSTANT, Span

Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(q [B, L, C], k [B, T, C], v [B, T, C]) -> [B, L, C]; heads and precision are bound in."""


@dataclass(frozen=True, eq=False)
class SiteIdentity:
    """One identity at one site: what `add_to` adds to the attention that is there already."""

    keys_values: SiteKeysValues
    weight: float
    window: Span
    region: Region | None
    curve: str = CONSTANT
    applied: Applied | None = None
    """The application that this site is part of."""
    insertion: str = ADD

    def note(self, rows: SamplingRows) -> None:
        """Remember that this site was asked in the run that the rows belong to."""
        if self.applied is not None:
            rows.run.reach.note(self.applied, self.keys_values.position)

    def to(self, device: torch.device) -> SiteIdentity:
        """On another device; itself where nothing changes."""
        moved = self.keys_values.to(device)
        return self if moved is self.keys_values else replace(self, keys_values=moved)

    def add_to(
        self,
        out: torch.Tensor,
        q: torch.Tensor,
        rows: SamplingRows,
        grid: tuple[int, int],
        attention: Attention,
        text: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`out + weight * mask * attention(q, K, V)` as [B, L, C]; `out` itself outside the window.

        q: [B, L, C], one row per entry of `rows`. grid: height and width of the L tokens. text:
        [B, L, C], the text's attention, which insertion rules compare with; `out` where no other
        identity is in it.
        """
        if not self.weight or not rows.active(self.window):
            return out
        factor = self.weight * rows.factor(self.curve, self.window)
        seen = self._attend(q, rows, attention)
        seen = INSERTION[self.insertion](seen, out if text is None else text)
        if self.region is None:
            return torch.add(out, seen, alpha=factor)
        mask = self.region.for_rows(rows, grid, seen).flatten(1).unsqueeze(-1)
        return torch.addcmul(out, seen, mask, value=factor)

    def _attend(self, q: torch.Tensor, rows: SamplingRows, attention: Attention) -> torch.Tensor:
        """[B, L, C]. Rows side by side that see the same tokens are one row of more queries, so
        that keys and values need not be repeated for them."""
        groups = rows.groups(self.keys_values.identities)
        stored = self.keys_values.of(groups.entries, rows)
        keys, values = (part.to(device=q.device, dtype=q.dtype) for part in stored)
        wide = q.reshape(len(groups.entries), groups.size * q.shape[1], q.shape[2])
        return attention(wide, keys, values).reshape(q.shape)


def site_identities(
    keys_values: Sequence[SiteKeysValues],
    weights: Sequence[float],
    window: Span,
    region: Region | None,
    curve: str = CONSTANT,
    insertion: str = ADD,
) -> tuple[SiteIdentity, ...]:
    """One identity at every site: its projected keys and values with a weight each."""
    one_of("insertion", insertion, INSERTION)
    applied = Applied(window, len(keys_values), region)
    return tuple(
        SiteIdentity(projected, weight, window, region, curve, applied, insertion)
        for projected, weight in zip(keys_values, weights, strict=True)
    )
