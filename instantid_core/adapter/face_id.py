"""The projection of IP-Adapter FaceID: an embedding of length 1 to a few context tokens.

Parameter names are those of the published files (`image_proj`), so that they load without renaming.
Source: IP-Adapter's `ip_adapter_faceid.py` and `ip_adapter_faceid_separate.py` (FaceID-Portrait),
which project every photo by itself and put the tokens of several photos one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ..errors import CheckpointError
from ..types import EMBEDDING_WIDTH
from .shapes import require_shapes

FIRST = "proj.0.weight"
"""Key of a tensor that no other kind has in this width."""
WHAT_TO_DO = (
    "Choose one of h94's IP-Adapter FaceID files, such as ip-adapter-faceid_sdxl.bin, placed in "
    "models/instantid."
)
LARGEST = 1 << 16
"""Largest size that is accepted; above it not even a network on the meta device is built."""


class FaceIDConfig(NamedTuple):
    """Sizes of a projection; all are read from a file's tensors."""

    embed_dim: int
    width: int
    """Channels between the two layers."""
    tokens: int
    """Of one photo: 4, or 16 in FaceID-Portrait."""
    context_dim: int

    def build(self, operations: Any, **factory: Any) -> FaceIDProjection:
        """The network of these sizes. operations: as `FaceIDProjection` takes them."""
        return FaceIDProjection(self, operations, **factory)


class FaceIDProjection(nn.Module):
    """[N, S, embed_dim] face embeddings -> [N, S * tokens, context_dim] context tokens.

    operations: a namespace with `Linear` and `LayerNorm`. Runs in the dtype and on the device of
    its input. Embeddings are brought to length 1 first; zeros, the negative identity, stay zeros.
    """

    def __init__(self, config: FaceIDConfig, operations: Any, **factory: Any) -> None:
        super().__init__()
        self.config = config
        self.proj = nn.Sequential(
            operations.Linear(config.embed_dim, config.width, **factory),
            nn.GELU(),
            operations.Linear(config.width, config.tokens * config.context_dim, **factory),
        )
        self.norm = operations.LayerNorm(config.context_dim, **factory)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        projected = self.proj(nn.functional.normalize(embeddings, dim=-1))
        tokens = projected.unflatten(-1, (self.config.tokens, self.config.context_dim))
        return self.norm(tokens).flatten(1, 2)


def is_face_id(image_proj: Mapping[str, torch.Tensor]) -> bool:
    """Whether a file's image_proj part begins as FaceID's does."""
    first = image_proj.get(FIRST)
    plus = any(key.startswith("perceiver_resampler.") for key in image_proj)
    return first is not None and first.ndim > 0 and not plus and first.shape[-1] == EMBEDDING_WIDTH


def read_projection(image_proj: Mapping[str, torch.Tensor], name: str) -> FaceIDConfig:
    """Sizes of the projection. name: the file's. Raises CheckpointError where tensors are missing
    or do not fit together."""
    shapes = {key: tuple(tensor.shape) for key, tensor in image_proj.items()}
    try:
        width, embed_dim = shapes[FIRST]
        (context,) = shapes["norm.weight"]
        rows, _ = shapes["proj.2.weight"]
        config = FaceIDConfig(embed_dim, width, rows // context, context)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"'{name}' has an image_proj part that is not IP-Adapter FaceID's projection (problem "
            f"at {error}). {WHAT_TO_DO}"
        ) from error
    if not all(0 < size <= LARGEST for size in config):
        raise CheckpointError(
            f"'{name}' is damaged: its projection would have sizes that no adapter has ({config}). "
            f"{WHAT_TO_DO}"
        )
    what = f"its projection to {config.tokens} tokens"
    require_shapes(shapes, config.build(nn, device="meta"), name, what, WHAT_TO_DO)
    return config
