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

from .adapter_network import EMBEDDING_WIDTH, attention, keys_and_values


@dataclass(frozen=True)
class FaceIDSettings:
    """Sizes of the trained parts; the published ones are 1024, 4 and 128."""

    width: int = 1024
    tokens: int = 4
    rank: int = 16


class LowRank(nn.Module):
    """A change of a linear layer, none at first: [..., taken] -> [..., given]."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(layer.in_features, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(values))


class AttentionLora(nn.Module):
    """Changes of the four layers of one attention."""

    def __init__(self, attn: Any, rank: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = (
            LowRank(layer, rank) for layer in (attn.to_q, attn.to_k, attn.to_v, attn.to_out[0])
        )


class FaceIDAttention:
    """A diffusers attention processor: attention under a LoRA and, given keys and values for them,
    attention to the identity's tokens, which lie behind the text."""

    def __init__(
        self, lora: AttentionLora, tokens: int = 0, keys_values: tuple[nn.Module, ...] = ()
    ) -> None:
        self.lora = lora
        self.tokens = tokens
        self.keys_values = keys_values

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """Hidden states [B, N, C] and a context [B, T + tokens, context] -> [B, N, C]."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        text = context[:, : context.shape[1] - self.tokens]
        lora = self.lora
        query = attn.to_q(hidden_states) + lora.to_q(hidden_states)
        key, value = attn.to_k(text) + lora.to_k(text), attn.to_v(text) + lora.to_v(text)
        seen = attention(query, key, value, attn.heads)
        if self.tokens:
            key, value = (layer(context[:, -self.tokens :]) for layer in self.keys_values)
            seen = seen + attention(query, key, value, attn.heads)
        return attn.to_out[1](attn.to_out[0](seen) + lora.to_out(seen))


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
        paths = [name.removesuffix(".processor") for name in unet.attn_processors]
        changes = [AttentionLora(unet.get_submodule(path), settings.rank) for path in paths]
        self.lora = nn.ModuleList(changes)
        self._install(changes, settings.tokens)

    def _install(self, changes: list[AttentionLora], tokens: int) -> None:
        """Put the trained parts into every attention of the UNet."""
        pairs = zip(self.to_k, self.to_v, strict=True)
        processors: dict[str, Any] = {}
        for name, lora in zip(self.unet.attn_processors, changes, strict=True):
            if ".attn2." in name:
                processors[name] = FaceIDAttention(lora, tokens, next(pairs))
            else:
                processors[name] = FaceIDAttention(lora)
        self.unet.set_attn_processor(processors)

    def forward(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        text: tuple[torch.Tensor, torch.Tensor],
        sizes: torch.Tensor,
        embeddings: torch.Tensor,
    ) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w] at timesteps [B].

        text: context [B, T, C] and pooled [B, P]. sizes: [B, 6]. embeddings: [B, 512] of any
        length; zeros are nobody.
        """
        context, pooled = text
        tokens = self.projection(embeddings[:, None])
        return self.unet(
            noisy,
            timesteps,
            torch.cat((context, tokens.to(context)), dim=1),
            added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes},
        ).sample
