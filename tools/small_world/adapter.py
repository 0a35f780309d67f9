"""Adapter files with random weights: any size, both published forms."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import torch

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class AdapterSizes:
    """Sizes of an adapter; the defaults fit the small SDXL."""

    site_widths: tuple[int, ...]
    context_dim: int = 64
    embed_dim: int = 512
    width: int = 64
    depth: int = 2
    tokens: int = 16

    @property
    def shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Names and shapes of both parts, as in the published file."""
        return {"image_proj": self._resampler(), "ip_adapter": self._sites()}

    def _resampler(self) -> dict[str, tuple[int, ...]]:
        width, context = self.width, self.context_dim
        shapes: dict[str, tuple[int, ...]] = {
            "latents": (1, self.tokens, width),
            "proj_in.weight": (width, self.embed_dim),
            "proj_in.bias": (width,),
            "proj_out.weight": (context, width),
            "proj_out.bias": (context,),
            "norm_out.weight": (context,),
            "norm_out.bias": (context,),
        }
        for layer in range(self.depth):
            attention, feed_forward = f"layers.{layer}.0.", f"layers.{layer}.1."
            for norm in ("norm1", "norm2"):
                shapes |= {f"{attention}{norm}.{kind}": (width,) for kind in ("weight", "bias")}
            shapes |= {f"{feed_forward}0.{kind}": (width,) for kind in ("weight", "bias")}
            shapes[attention + "to_q.weight"] = (width, width)
            shapes[attention + "to_kv.weight"] = (2 * width, width)
            shapes[attention + "to_out.weight"] = (width, width)
            shapes[feed_forward + "1.weight"] = (4 * width, width)
            shapes[feed_forward + "3.weight"] = (width, 4 * width)
        return shapes

    def _sites(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{2 * position + 1}.to_{kind}_ip.weight": (width, self.context_dim)
            for position, width in enumerate(self.site_widths)
            for kind in "kv"
        }


@dataclass(frozen=True)
class FaceIDSizes:
    """Sizes of an IP-Adapter FaceID; the defaults fit the small SDXL."""

    site_widths: tuple[int, ...]
    context_dim: int = 64
    embed_dim: int = 512
    tokens: int = 4
    rank: int = 4
    """Of its LoRA; 0 for FaceID-Portrait, which has none."""

    @property
    def shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Names and shapes of both parts, as in the published files."""
        sites = AdapterSizes(self.site_widths, self.context_dim).shapes["ip_adapter"]
        return {"image_proj": self._projection(), "ip_adapter": sites | self._lora()}

    def _projection(self) -> dict[str, tuple[int, ...]]:
        width, out = 2 * self.embed_dim, self.tokens * self.context_dim
        return {
            "proj.0.weight": (width, self.embed_dim),
            "proj.0.bias": (width,),
            "proj.2.weight": (out, width),
            "proj.2.bias": (out,),
            "norm.weight": (self.context_dim,),
            "norm.bias": (self.context_dim,),
        }

    def _lora(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for number, width in enumerate(width for site in self.site_widths for width in (site,) * 2):
            context = self.context_dim if number % 2 else width
            for layer in ("to_q", "to_k", "to_v", "to_out") if self.rank else ():
                source = context if layer in ("to_k", "to_v") else width
                shapes[f"{number}.{layer}_lora.down.weight"] = (self.rank, source)
                shapes[f"{number}.{layer}_lora.up.weight"] = (width, self.rank)
        return shapes


def adapter_weights(sizes: AdapterSizes | FaceIDSizes, seed: int = 2) -> dict[str, Tensors]:
    """The nested form: `image_proj` and `ip_adapter`."""
    return {
        part: {name: _weights(f"{part}.{name}", shape, seed) for name, shape in shapes.items()}
        for part, shapes in sizes.shapes.items()
    }


def flat(nested: dict[str, Tensors]) -> Tensors:
    """The flat form, as in safetensors files."""
    return {
        f"{part}.{name}": tensor.contiguous()
        for part, tensors in nested.items()
        for name, tensor in tensors.items()
    }


def _weights(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    values = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return values * 0.05 + (1.0 if name.endswith("weight") else 0.0)
    return values / math.sqrt(shape[-1])
