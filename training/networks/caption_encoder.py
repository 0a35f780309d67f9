"""The caption encoder: a small transformer over the words of the small world's captions."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

NOTHING = 0
"""Token behind the last word."""
UNKNOWN = 1
SPECIAL_TOKENS = 2


@dataclass(frozen=True)
class CaptionConfig:
    """Sizes of the caption encoder, and its words."""

    words: tuple[str, ...]
    length: int = 24
    """Tokens of every caption."""
    width: int = 128
    """Also the UNet's context width."""
    pooled_width: int = 1280
    depth: int = 1
    heads: int = 2


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network, each behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, T, width] -> [B, T, width]."""
        parts = self.to_qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.to_out(attended.transpose(1, 2).flatten(2))
        return x + self.feed_forward(x)


class CaptionEncoder(nn.Module):
    """Captions to the UNet's context and a pooled embedding. All unknown words are the same."""

    def __init__(self, config: CaptionConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = {word: SPECIAL_TOKENS + n for n, word in enumerate(config.words)}
        self.words = nn.Embedding(SPECIAL_TOKENS + len(config.words), config.width)
        self.positions = nn.Parameter(torch.randn(config.length, config.width) * 0.1)
        self.layers = nn.ModuleList(
            TransformerLayer(config.width, config.heads) for _ in range(config.depth)
        )
        self.norm_out = nn.LayerNorm(config.width)
        self.to_pooled = nn.Linear(config.width, config.pooled_width)

    def tokenize(self, caption: str) -> list[int]:
        """A caption's tokens, filled up or cut to `length`."""
        length = self.config.length
        found = [self.tokens.get(word, UNKNOWN) for word in words_of(caption)][:length]
        return found + [NOTHING] * (length - len(found))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [B, T] int64 -> context [B, T, width] and pooled [B, pooled_width]."""
        x = self.words(tokens) + self.positions
        for layer in self.layers:
            x = layer(x)
        context = self.norm_out(x)
        return context, self.to_pooled(context.mean(1))


def words_of(caption: str) -> list[str]:
    """The words of a caption, in lower case; digits, weights and punctuation are no words."""
    return re.findall(r"[a-z]+", caption.lower())


def vocabulary(captions: list[str]) -> tuple[str, ...]:
    """The distinct words of captions, sorted."""
    return tuple(sorted({word for caption in captions for word in words_of(caption)}))
