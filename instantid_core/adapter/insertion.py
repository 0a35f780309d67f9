"""Insertion rules: the part of an identity's attention that is added to the text's at a site.

`normalised` follows UniID (arXiv 2512.03964), whose adapter has the norm of the text attention in
every row; `orthogonal` follows PuLID (arXiv 2404.16022), which takes out the part along the text's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(identity's attention [B, L, C], text's attention [B, L, C]) -> what is added, [B, L, C]."""
ADD = "add"
SMALLEST = 1e-6
"""Norm and energy below which there is nothing to compare with."""


def _whole(identity: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    return identity


def _normalised(identity: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """The identity's attention at the norm of the text's, over a row's tokens and channels."""
    own, wanted = (
        torch.linalg.vector_norm(part, dim=(1, 2), keepdim=True, dtype=torch.float32)
        for part in (identity, text)
    )
    return (identity.float() * (wanted / own.clamp(min=SMALLEST))).to(identity.dtype)


def _orthogonal(identity: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """The identity's attention without its projection on the text's, in every channel."""
    own, along = identity.float(), text.float()
    energy = (along * along).sum(dim=1, keepdim=True).clamp(min=SMALLEST**2)
    projection = (along * own).sum(dim=1, keepdim=True) / energy * along
    return (own - projection).to(identity.dtype)


INSERTION: dict[str, Rule] = {ADD: _whole, "normalised": _normalised, "orthogonal": _orthogonal}
"""Rules by the name that a node's `insertion` has for them; `add` is InstantID's own."""
