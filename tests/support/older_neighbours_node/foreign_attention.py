"""Attention patches of other identity packs, by the contract that they publish.

IPAdapter_plus, PuLID and the older InstantID pack each have a class `Attn2Replace` and one function
for it. They clone the model, put an object where a site has none, and call `add` on whatever they
find elsewhere. What is written here follows that contract and shares no code with them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention

Tensors = torch.Tensor
SITES = [
    *[
        ("input", block, i)
        for block, depth in ((4, 2), (5, 2), (7, 10), (8, 10))
        for i in range(depth)
    ],
    *[("output", block, i) for block in range(6) for i in range(10 if block < 3 else 2)],
    *[("middle", 1, i) for i in range(10)],
]
"""Sites of SDXL that these packs patch. ComfyUI's middle block is 0, so the last ten never fire."""


class Attn2Replace:
    """A site's patch: text attention, plus what each callback gives inside its sigmas."""

    def __init__(self, callback: Callable[..., Tensors], **settings: Any) -> None:
        self.callback = [callback]
        self.kwargs = [settings]

    def add(self, callback: Callable[..., Tensors], **settings: Any) -> None:
        self.callback.append(callback)
        self.kwargs.append(settings)
        for name, value in settings.items():
            setattr(self, name, value)

    def __call__(
        self, q: Tensors, k: Tensors, v: Tensors, extra_options: dict[str, Any]
    ) -> Tensors:
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = extra_options["sigmas"].detach().cpu()[0].item()
        for callback, settings in zip(self.callback, self.kwargs, strict=True):
            if settings["sigma_end"] <= sigma <= settings["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **settings)
        return out.to(dtype=q.dtype)


class MultiGPUAttn2Replace(Attn2Replace):
    """As IPAdapter_plus has it since 2025: `to` keeps a copy of the settings per device."""

    def __init__(self, callback: Callable[..., Tensors], **settings: Any) -> None:
        super().__init__(callback, **settings)
        self.multigpu_kwargs: dict[Any, list[dict[str, Any]]] = {}

    def to(self, device: Any, *_: Any) -> MultiGPUAttn2Replace:
        if isinstance(device, torch.device):
            self.multigpu_kwargs[device] = [
                {n: v.to(device) if isinstance(v, Tensors) else v for n, v in each.items()}
                for each in self.kwargs
            ]
        return self


class CrossAttentionPatch(Attn2Replace):
    """As in early 2024: a second identity comes by `set_new_condition`."""

    def set_new_condition(self, callback: Callable[..., Tensors], **settings: Any) -> None:
        self.add(callback, **settings)


def image_prompt(
    out: Tensors,
    q: Tensors,
    k: Tensors,
    v: Tensors,
    extra_options: dict[str, Any],
    weight: float = 1.0,
    mask: Tensors | None = None,
    **tokens: Any,
) -> Tensors:
    """IPAdapter_plus and the older InstantID pack: a second attention, over tokens by branch."""
    return _masked(_prompted(q, extra_options, **tokens) * weight, extra_options, mask)


def orthogonal_prompt(
    out: Tensors,
    q: Tensors,
    k: Tensors,
    v: Tensors,
    extra_options: dict[str, Any],
    weight: float = 1.0,
    mask: Tensors | None = None,
    **tokens: Any,
) -> Tensors:
    """PuLID: the part of it that is orthogonal to what the attention gives already."""
    prompted = _prompted(q, extra_options, **tokens).float()
    known = out.float()
    share = (known * prompted).sum(-2, keepdim=True) / (known * known).sum(-2, keepdim=True)
    return _masked((weight * (prompted - share * known)).to(q.dtype), extra_options, mask)


def _prompted(
    q: Tensors,
    extra_options: dict[str, Any],
    module_key: str,
    cond: Tensors,
    uncond: Tensors,
    **_: Any,
) -> Tensors:
    branches = extra_options["cond_or_uncond"]
    per_branch = q.shape[0] // len(branches)
    chosen = torch.cat([(cond, uncond)[i].repeat(per_branch, 1, 1) for i in branches])
    keys, values = (chosen @ _projection(module_key + kind, chosen, q) for kind in "kv")
    return optimized_attention(q, keys, values, extra_options["n_heads"])


def _projection(name: str, tokens: Tensors, q: Tensors) -> Tensors:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    weights = torch.randn(tokens.shape[-1], q.shape[-1], generator=generator)
    return (weights / math.sqrt(tokens.shape[-1])).to(q)


def _masked(delta: Tensors, extra_options: dict[str, Any], mask: Tensors | None) -> Tensors:
    """The mask over a site's tokens; AnimateDiff's window picks its own frames of it."""
    if mask is None:
        return delta
    height, width = extra_options["original_shape"][-2:]
    down = math.sqrt(height * width / delta.shape[1])
    size = (math.ceil(height / down), math.ceil(width / down))
    frames = (extra_options.get("ad_params") or {}).get("sub_idxs")
    chosen = mask if frames is None or len(mask) == 1 else mask[frames]
    small = torch.nn.functional.interpolate(chosen[:, None], size=size, mode="bilinear")
    rows = small.flatten(1)[..., None].repeat(delta.shape[0] // len(chosen), 1, 1)
    return delta * rows.to(delta)


def apply_at(
    model: Any, kind: type[Attn2Replace], callback: Callable[..., Tensors], **how: Any
) -> Any:
    """Patch a clone as these packs do: copies of the dicts, `add` on the object that is there.

    Their nodes make tokens where the model computes, and hand them over there.
    """
    adder = "set_new_condition" if kind is CrossAttentionPatch else "add"
    window = {"sigma_start": 1e9, "sigma_end": 0.0}
    place = model.load_device
    how = {n: each.to(place) if isinstance(each, Tensors) else each for n, each in how.items()}
    for number, key in enumerate(SITES):
        settings = {**how, **window, "module_key": str(2 * number + 1)}
        options = model.model_options["transformer_options"].copy()
        replaced = options["patches_replace"] = options.get("patches_replace", {}).copy()
        sites = replaced["attn2"] = replaced.get("attn2", {}).copy()
        if key in sites:
            getattr(sites[key], adder)(callback, **settings)
        else:
            sites[key] = kind(callback, **settings)
            model.model_options["transformer_options"] = options
    return model
