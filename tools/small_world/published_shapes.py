"""Names and shapes of the published `ip-adapter.bin`, written out from the file's own layout.

Kept apart from `adapter`, which computes its shapes: here every number stands as published.
"""

from __future__ import annotations

import torch

Shapes = dict[str, tuple[int, ...]]

CONTEXT = 2048
SITE_WIDTHS = 4 * [640] + 20 * [1280] + 30 * [1280] + 6 * [640] + 10 * [1280]
"""Down, up, middle: the order of diffusers' attention processors."""
PARAMETERS = {"image_proj": 81.98e6, "ip_adapter": 340.79e6}
"""As counted in the published file, to 10 000."""

IMAGE_PROJ_OUTSIDE_LAYERS: Shapes = {
    "latents": (1, 16, 1280),
    "proj_in.weight": (1280, 512),
    "proj_in.bias": (1280,),
    "proj_out.weight": (2048, 1280),
    "proj_out.bias": (2048,),
    "norm_out.weight": (2048,),
    "norm_out.bias": (2048,),
}
IMAGE_PROJ_LAYER: Shapes = {
    "0.norm1.weight": (1280,),
    "0.norm1.bias": (1280,),
    "0.norm2.weight": (1280,),
    "0.norm2.bias": (1280,),
    "0.to_q.weight": (1280, 1280),
    "0.to_kv.weight": (2560, 1280),
    "0.to_out.weight": (1280, 1280),
    "1.0.weight": (1280,),
    "1.0.bias": (1280,),
    "1.1.weight": (5120, 1280),
    "1.3.weight": (1280, 5120),
}


def image_proj() -> Shapes:
    """51 shapes: the resampler."""
    shapes = dict(IMAGE_PROJ_OUTSIDE_LAYERS)
    for layer in range(4):
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in IMAGE_PROJ_LAYER.items()}
    return shapes


def ip_adapter() -> Shapes:
    """140 shapes: a key and a value projection per site, numbered 1, 3, ... 139."""
    return {
        f"{number}.to_{kind}_ip.weight": (width, CONTEXT)
        for number, width in zip(range(1, 140, 2), SITE_WIDTHS, strict=True)
        for kind in "kv"
    }


def meta(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Tensors of these shapes that take no memory."""
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def published() -> dict[str, dict[str, torch.Tensor]]:
    """The published file in its nested form, on the meta device."""
    return {"image_proj": meta(image_proj()), "ip_adapter": meta(ip_adapter())}
