"""The memory of an adapter: tokens, keys and values of the identities it has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch

from ..identity import NegativeIdentity
from ..types import IdentityEmbedding, IdentityTokens
from .keys_values import KeysValues
from .memory import Memory

MOST_BYTES = 256 * 2**20
"""Enough for about 24 identities of SDXL in half precision."""


class Projections:
    """Results of an adapter, by the content of what they were made of.

    A change of weight or window, the second of two nodes, or the same photo analysed again runs
    the adapter no more. Lives as long as the adapter, and holds `most_bytes`, or the latest result
    if that alone is larger.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._memory = Memory(most_bytes, lambda result: result.nbytes)

    def tokens(
        self,
        identity: IdentityEmbedding,
        negative: NegativeIdentity,
        make: Callable[[], IdentityTokens],
    ) -> IdentityTokens:
        """Tokens of an identity and its negative identity, made on first use."""
        return self._memory.once((content_key(identity.references), negative), make)

    def keys_values(
        self, tokens: IdentityTokens, dtype: torch.dtype, make: Callable[[], KeysValues]
    ) -> KeysValues:
        """Keys and values of tokens, made on first use."""
        sides = content_key(tokens.positive), content_key(tokens.negative)
        return self._memory.once((*sides, dtype), make)


def content_key(values: torch.Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    """Equal for tensors of equal bits, whatever objects they are."""
    raw = values.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
    return values.dtype, values.shape, hashlib.sha256(raw).digest()
