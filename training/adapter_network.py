"""InstantID's trained parts around a frozen UNet of diffusers (arXiv 2401.07519, section 3.2).

The image adapter is the resampler with one key and one value projection per cross-attention site;
IdentityNet is a ControlNet whose cross-attention sees the identity tokens and no text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import nn
from torch.nn import functional

from instantid_core.adapter import Resampler, ResamplerConfig

from .diffusion import noise_in, residuals_of
from .loop import Tensors

EMBEDDING_WIDTH = 512
OPENING = 3.0


@dataclass(frozen=True)
class AdapterSettings:
    """Sizes of the resampler; the published one has width 1280 and depth 4."""

    width: int = 128
    depth: int = 4
    tokens: int = 16

    def resampler(self, context_dim: int) -> ResamplerConfig:
        """All its sizes, for a UNet with this context width."""
        return ResamplerConfig(
            embed_dim=EMBEDDING_WIDTH,
            width=self.width,
            inner_width=self.width,
            feedforward_width=4 * self.width,
            depth=self.depth,
            tokens=self.tokens,
            context_dim=context_dim,
        )


class ImageAdapter(nn.Module):
    """Embeddings to tokens, and tokens to keys and values at every site of a UNet."""

    def __init__(self, unet: UNet2DConditionModel, settings: AdapterSettings) -> None:
        super().__init__()
        self.resampler = Resampler(settings.resampler(unet.config["cross_attention_dim"]), nn)
        nn.init.normal_(self.resampler.latents, std=1 / math.sqrt(settings.width))
        open_layers(self.resampler)
        self.to_k, self.to_v = keys_and_values(unet)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Raw face embeddings [B, 512] -> tokens [B, tokens, context]."""
        return self.resampler(embeddings[:, None])


@torch.no_grad()
def open_layers(resampler: Resampler) -> None:
    """Let a new resampler's layers say more beside what flows past them.

    The embedding is one row among the tokens' own, so at first it makes up little of a token.
    """
    for name, value in resampler.named_parameters():
        if name.endswith(("to_out.weight", "1.3.weight")):
            value.mul_(OPENING)


def cross_attention_names(unet: UNet2DConditionModel) -> list[str]:
    """The text's attention layers in the order of diffusers' processors: input, output, middle."""
    return [n.removesuffix(".processor") for n in unet.attn_processors if ".attn2." in n]


def keys_and_values(unet: UNet2DConditionModel) -> tuple[nn.ModuleList, nn.ModuleList]:
    """New projections to keys and to values for every cross-attention, which start as the text's,
    as IP-Adapter's do."""
    sites = cross_attention_names(unet)
    to_k, to_v = (
        nn.ModuleList(copy_of(unet.get_submodule(f"{site}.{projection}")) for site in sites)
        for projection in ("to_k", "to_v")
    )
    return to_k, to_v


def copy_of(source: Any) -> nn.Linear:
    """A layer without bias that has the weights of another one."""
    copy = nn.Linear(source.in_features, source.out_features, bias=False)
    copy.weight.data.copy_(source.weight)
    return copy


class DecoupledAttention:
    """A diffusers attention processor: attention to the text plus attention to the identity.

    The context holds the text first and the identity's tokens behind it, as in the reference.
    """

    def __init__(self, to_k: nn.Module, to_v: nn.Module, tokens: int) -> None:
        self.to_k, self.to_v, self.tokens = to_k, to_v, tokens

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """Hidden states [B, N, C] and a context [B, T + tokens, context] -> [B, N, C]."""
        text = encoder_hidden_states[:, : -self.tokens]
        identity = encoder_hidden_states[:, -self.tokens :]
        query = attn.to_q(hidden_states)
        seen = attention(query, attn.to_k(text), attn.to_v(text), attn.heads)
        known = attention(query, self.to_k(identity), self.to_v(identity), attn.heads)
        return attn.to_out[1](attn.to_out[0](seen + known))


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int
) -> torch.Tensor:
    split = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    return functional.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)  # pyright: ignore[reportArgumentType]


def install(
    unet: UNet2DConditionModel,
    adapter: Any,
    tokens: int,
    crossing: Callable[..., Any] = DecoupledAttention,
    other: Callable[[], Any] = AttnProcessor2_0,
) -> None:
    """Put attention processors at every site: at each cross-attention one with the adapter's keys
    and values, `to_k` and `to_v`."""
    pairs = zip(adapter.to_k, adapter.to_v, strict=True)
    processors: dict[str, Any] = {
        name: crossing(*next(pairs), tokens) if ".attn2." in name else other()
        for name in unet.attn_processors
    }
    unet.set_attn_processor(processors)


def with_tokens(given: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    """The context that decoupled attention reads: a batch's `context` and tokens [B, N, C]."""
    return torch.cat((given["context"], tokens.to(given["context"])), dim=1)


class InstantID(nn.Module):
    """The frozen UNet, the image adapter in its attention, and IdentityNet on its encoder."""

    def __init__(
        self, unet: UNet2DConditionModel, settings: AdapterSettings = AdapterSettings()
    ) -> None:
        super().__init__()
        self.unet = unet.requires_grad_(False)
        self.adapter = ImageAdapter(unet, settings)
        self.identity_net = ControlNetModel.from_unet(unet).requires_grad_(True)
        install(unet, self.adapter, settings.tokens)

    def forward(self, given: Tensors) -> torch.Tensor:
        """Predict the noise in latents [B, 4, h, w].

        given: what `noise_in` and `residuals_of` ask for, the text's `context` [B, T, C] and raw
        `embeddings` [B, 512].
        """
        tokens = self.adapter(given["embeddings"])
        residuals = residuals_of(self.identity_net, given, tokens)
        return noise_in(self.unet, given, with_tokens(given, tokens), **residuals)
