"""Insertion rules as their papers' code has them, for diffusers' cross-attention.

Written from the formulas of UniID (normalised) and PuLID (orthogonal), to be compared with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def split(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[B, L, C] as [B, heads, L, C / heads]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def normalised(text: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    return (
        face
        * torch.linalg.norm(text, dim=(1, 2), keepdim=True)
        / torch.linalg.norm(face, dim=(1, 2), keepdim=True)
    )


def orthogonal(text: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    share = torch.sum(text * face, dim=-2, keepdim=True) / torch.sum(
        text * text, dim=-2, keepdim=True
    )
    return face - share * text


RULES = {"normalised": normalised, "orthogonal": orthogonal}


def replace_processors(unet: Any, rule: str) -> None:
    """Let the adapter of a diffusers UNet join by a rule."""
    unet.set_attn_processor(
        {
            name: RuledProcessor(processor, rule) if hasattr(processor, "scale") else processor
            for name, processor in unet.attn_processors.items()
        }
    )


class RuledProcessor(torch.nn.Module):
    """Cross-attention of diffusers with an image adapter that joins by a rule.

    adapter: diffusers' own processor, for its projections of the tokens and its scale.
    """

    def __init__(self, adapter: Any, rule: str) -> None:
        super().__init__()
        self.adapter, self.rule = adapter, RULES[rule]

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: Any, **_: Any
    ) -> torch.Tensor:
        tokens, (images,) = encoder_hidden_states
        images = images.flatten(1, -2)
        query = split(attn.to_q(hidden_states), attn.heads)
        text = attended(query, *(split(to(tokens), attn.heads) for to in (attn.to_k, attn.to_v)))
        ours = self.adapter.to_k_ip[0], self.adapter.to_v_ip[0]
        face = attended(query, *(split(to(images), attn.heads) for to in ours))
        joined = text + self.adapter.scale[0] * self.rule(text, face)
        return attn.to_out[1](attn.to_out[0](joined))
