"""The Perceiver resampler that turns face embeddings into context tokens.

Parameter names are those of the published file (`image_proj` of `ip-adapter.bin`), so that it loads
without renaming. Source: InstantID `ip_adapter/resampler.py`, after Flamingo's Perceiver resampler.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

HEAD_WIDTH = 64
"""Channels per attention head: fixed in the reference, and in no tensor's shape."""


class ResamplerConfig(NamedTuple):
    """Sizes of a resampler; all are read from a file's tensors."""

    embed_dim: int
    width: int
    inner_width: int
    """Channels of all attention heads together."""
    feedforward_width: int
    depth: int
    tokens: int
    context_dim: int

    def build(self, operations: Any, **factory: Any) -> Resampler:
        """The network of these sizes. operations: as `Resampler` takes them."""
        return Resampler(self, operations, **factory)


class PerceiverAttention(nn.Module):
    """Latents attend to the embeddings and to themselves."""

    def __init__(self, config: ResamplerConfig, operations: Any, **factory: Any) -> None:
        super().__init__()
        width, inner = config.width, config.inner_width
        self.heads = inner // HEAD_WIDTH
        self.norm1 = operations.LayerNorm(width, **factory)
        self.norm2 = operations.LayerNorm(width, **factory)
        self.to_q = operations.Linear(width, inner, bias=False, **factory)
        self.to_kv = operations.Linear(width, inner * 2, bias=False, **factory)
        self.to_out = operations.Linear(inner, width, bias=False, **factory)

    def forward(self, x: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """x [N, S, width], latents [N, T, width] -> [N, T, width]."""
        latents = self.norm2(latents)
        seen = torch.cat((self.norm1(x), latents), dim=1)
        keys, values = self.to_kv(seen).chunk(2, dim=-1)
        attended = nn.functional.scaled_dot_product_attention(
            self._split(self.to_q(latents)), self._split(keys), self._split(values)
        )
        return self.to_out(attended.transpose(1, 2).flatten(2))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, HEAD_WIDTH)).transpose(1, 2)


def _feed_forward(config: ResamplerConfig, operations: Any, **factory: Any) -> nn.Sequential:
    return nn.Sequential(
        operations.LayerNorm(config.width, **factory),
        operations.Linear(config.width, config.feedforward_width, bias=False, **factory),
        nn.GELU(),
        operations.Linear(config.feedforward_width, config.width, bias=False, **factory),
    )


class Resampler(nn.Module):
    """[N, S, embed_dim] face embeddings -> [N, tokens, context_dim] context tokens.

    operations: a namespace with `Linear` and `LayerNorm`: `torch.nn`, or the host's own layers
    where it manages the weights. Runs in the dtype and on the device of its input.
    """

    def __init__(self, config: ResamplerConfig, operations: Any, **factory: Any) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, config.tokens, config.width, **factory))
        self.proj_in = operations.Linear(config.embed_dim, config.width, **factory)
        self.proj_out = operations.Linear(config.width, config.context_dim, **factory)
        self.norm_out = operations.LayerNorm(config.context_dim, **factory)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    PerceiverAttention(config, operations, **factory),
                    _feed_forward(config, operations, **factory),
                )
            )
            for _ in range(config.depth)
        )

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        # The host casts its own layers; a bare parameter has to be cast here.
        latents = self.latents.to(embeddings).expand(embeddings.shape[0], -1, -1)
        x = self.proj_in(embeddings)
        for attention, feed_forward in self.layers:  # pyright: ignore[reportGeneralTypeIssues]
            latents = attention(x, latents) + latents
            latents = feed_forward(latents) + latents
        return self.norm_out(self.proj_out(latents))
