"""Nodes of other packs that the older pack's examples use: the same ids and sockets, little work.

The image prompt patches attention by the contract that IPAdapter_plus publishes; its object lies in
`foreign_attention.py`, which the host tests use as well.
"""

from __future__ import annotations

from typing import Any

import torch

from .foreign_attention import Attn2Replace, apply_at, image_prompt


def _node(
    required: dict[str, Any], outputs: tuple[str, ...], run: Any, optional: dict[str, Any] | None
) -> type:
    def inputs(_: type) -> dict[str, Any]:
        return {"required": required, "optional": optional or {}}

    return type(
        "Neighbour",
        (),
        {
            **{"INPUT_TYPES": classmethod(inputs), "RETURN_TYPES": outputs, "FUNCTION": "run"},
            **{"CATEGORY": "tests", "run": staticmethod(run)},
        },
    )


def _text(value: str) -> tuple[str, dict[str, Any]]:
    return ("STRING", {"default": value})


def _number(value: float) -> tuple[str, dict[str, Any]]:
    return ("FLOAT", {"default": value})


def _flip(picture: torch.Tensor) -> torch.Tensor:
    """[B, H, W] or [B, H, W, C], left and right exchanged."""
    return torch.flip(picture, dims=(2,))


def _styled(model: Any, ipadapter: int, image: torch.Tensor, weight: float, **_: Any) -> Any:
    """Patch every input and output site, and where the pack believes the middle to be."""
    context = ipadapter
    tokens = image.mean((1, 2)).mean(0)[:1].expand(1, 4, context)
    how = {"cond": tokens, "uncond": torch.zeros_like(tokens), "weight": weight}
    return (apply_at(model.clone(), Attn2Replace, image_prompt, **how),)


NODE_CLASS_MAPPINGS = {
    "ImageFlip+": _node(
        {"image": ("IMAGE",), "axis": _text("x")},
        ("IMAGE",),
        lambda image, axis: (_flip(image),),
        None,
    ),
    "MaskFlip+": _node(
        {"mask": ("MASK",), "axis": _text("x")}, ("MASK",), lambda mask, axis: (_flip(mask),), None
    ),
    "Zoe-DepthMapPreprocessor": _node(
        {"image": ("IMAGE",), "resolution": ("INT", {"default": 512})},
        ("IMAGE",),
        lambda image, resolution: (image.mean(-1, keepdim=True).expand_as(image),),
        None,
    ),
    "IPAdapterUnifiedLoader": _node(
        {"model": ("MODEL",), "preset": _text("PLUS (high strength)")},
        ("MODEL", "IPADAPTER"),
        lambda model, preset: (model, 64),
        None,
    ),
    "IPAdapterAdvanced": _node(
        {
            **{"model": ("MODEL",), "ipadapter": ("IPADAPTER",), "image": ("IMAGE",)},
            **{"weight": _number(1), "weight_type": _text("linear")},
            **{"combine_embeds": _text("concat"), "start_at": _number(0), "end_at": _number(1)},
            "embeds_scaling": _text("V only"),
        },
        ("MODEL",),
        _styled,
        {"attn_mask": ("MASK",)},
    ),
}
