"""IP-Adapter FaceID's trained parts around a frozen UNet of diffusers.

A face embedding of length 1 becomes four tokens, which every cross-attention reads with keys and
values of their own; a LoRA changes all attention of the UNet. There is no IdentityNet. Source:
IP-Adapter's `ip_adapter_faceid.py` and `attention_processor_faceid.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from instantid_core.adapter.face_id import FaceIDConfig

from .adapter_network import EMBEDDING_WIDTH, attention, install, keys_and_values, with_tokens
from .diffusion import noise_in
from .loop import Tensors


@dataclass(frozen=True)
class FaceIDSettings:
    """Sizes of the trained parts; the published ones are 1024, 4 and 128."""

    width: int = 1024
    tokens: int = 4
    rank: int = 16


class LowRank(nn.Module):
    """A change of a linear layer, which gives it from now on; none at first."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(layer.in_features, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)
        layer.register_forward_hook(lambda _, taken, given: given + self.up(self.down(taken[0])))


class AttentionLora(nn.Module):
    """Changes of the four layers of one attention."""

    def __init__(self, attn: Any, rank: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = (
            LowRank(layer, rank) for layer in (attn.to_q, attn.to_k, attn.to_v, attn.to_out[0])
        )


class FaceIDAttention:
    """A diffusers attention processor: attention to the text or the picture itself and, given
    keys and values for them, to the identity's tokens, which lie behind the text."""

    def __init__(
        self, to_k: nn.Module | None = None, to_v: nn.Module | None = None, tokens: int = 0
    ) -> None:
        self.layers, self.tokens = (to_k, to_v), tokens

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """Hidden states [B, N, C] and a context [B, T + tokens, context] -> [B, N, C]."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        text = context[:, : context.shape[1] - self.tokens]
        query = attn.to_q(hidden_states)
        seen = attention(query, attn.to_k(text), attn.to_v(text), attn.heads)
        if self.tokens:
            key, value = (layer(context[:, -self.tokens :]) for layer in self.layers if layer)
            seen = seen + attention(query, key, value, attn.heads)
        return attn.to_out[1](attn.to_out[0](seen))


class FaceID(nn.Module):
    """The frozen UNet with projection, keys, values and LoRA in its attention."""

    def __init__(
        self, unet: UNet2DConditionModel, settings: FaceIDSettings = FaceIDSettings()
    ) -> None:
        super().__init__()
        self.unet = unet.requires_grad_(False)
        context = unet.config["cross_attention_dim"]
        sizes = FaceIDConfig(EMBEDDING_WIDTH, settings.width, settings.tokens, context)
        self.projection = sizes.build(nn)
        self.to_k, self.to_v = keys_and_values(unet)
        paths = (name.removesuffix(".processor") for name in unet.attn_processors)
        self.lora = nn.ModuleList(
            AttentionLora(unet.get_submodule(path), settings.rank) for path in paths
        )
        install(unet, self, settings.tokens, FaceIDAttention, FaceIDAttention)

    def forward(self, given: Tensors) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w].

        given: what `noise_in` asks for, the text's `context` [B, T, C] and `embeddings` [B, 512]
        of any length; zeros are nobody.
        """
        tokens = self.projection(given["embeddings"][:, None])
        return noise_in(self.unet, given, with_tokens(given, tokens))
