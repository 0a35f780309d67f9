"""The baseline: decoupled cross-attention as packs usually do it.

The adapter's projections stay beside the model. At every site and in every step the tokens of both
sides of the guidance are projected again, repeated and put in order, after a look at sigma. Only
for the benchmark, and only as much of it as plain CFG needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.nn.functional import linear

from .bench_host import Scene


class Window(NamedTuple):
    """Noise levels between which the identity acts."""

    start: float
    end: float


@dataclass(frozen=True, eq=False)
class UsualWayAttention:
    """Replacement for one site's text attention that projects keys and values when called."""

    to_k: torch.Tensor
    """[width, C]."""
    to_v: torch.Tensor
    tokens: tuple[torch.Tensor, torch.Tensor]
    """[1, T, C] each: positive, negative."""
    weight: float
    window: Window

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
    ) -> torch.Tensor:
        out = _attend(q, k, v, options)
        # On a GPU this waits for everything that was queued before.
        sigma = options["sigmas"].cpu()[0].item()
        if not self.window.start >= sigma >= self.window.end:
            return out
        keys, values = (self._for_rows(w, q, options) for w in (self.to_k, self.to_v))
        return out + _attend(q, keys, values, options) * self.weight

    def _for_rows(
        self, projection: torch.Tensor, q: torch.Tensor, options: dict[str, Any]
    ) -> torch.Tensor:
        branches = options["cond_or_uncond"]
        sides = [linear(tokens, projection) for tokens in self.tokens]
        repeats = q.shape[0] // len(branches)
        return torch.cat([sides[branch].repeat(repeats, 1, 1) for branch in branches])


def install_usual_way(scene: Scene, weight: float) -> Any:
    """A clone of the scene's model with the baseline at every site."""
    core = scene.pack.module
    device, dtype = scene.model.load_device, scene.model.model.get_dtype_inference()
    negative = core("instantid_core.embedding").NegativeIdentity()
    projected = scene.adapter.tokens(scene.identity, negative)
    tokens = projected.positive.to(device, dtype), projected.negative.to(device, dtype)
    to_sigma = scene.model.get_model_object("model_sampling").percent_to_sigma
    weights = scene.adapter.patcher.model
    patched = scene.model.clone()
    unet = patched.get_model_object("diffusion_model")
    sites = core("instantid_core.sites").cross_attention_sites(unet)
    for site, to_k, to_v in zip(sites, weights.to_k, weights.to_v, strict=True):
        patch = UsualWayAttention(
            to_k.weight.detach().to(device, dtype),
            to_v.weight.detach().to(device, dtype),
            tokens,
            weight,
            Window(to_sigma(0.0), to_sigma(1.0)),
        )
        patched.set_model_attn2_replace(patch, *site.key)
    return patched


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    from comfy.ldm.modules.attention import optimized_attention

    precision = options["attn_precision"]
    heads = options["n_heads"]
    return optimized_attention(
        q, k, v, heads, attn_precision=precision, transformer_options=options
    )
