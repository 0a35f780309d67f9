"""Regional prompts by attention patches ("attention couple").

Stands for cgem156-ComfyUI and ComfyUI-ppm (`Couple`), comfyui-tooling-nodes, which Krita AI
Diffusion uses (`LengtheningCouple`), and comfyui-prompt-control (`hooked`).

An `attn2_patch` gives cross-attention one row for each region and picture of every side that is not
negative; an `attn2_output_patch` joins them by their masks. Their faults, kept here:
- Number 1 in `cond_or_uncond` is taken for the negative side, as it is with plain guidance alone.
- The rows of queries are no longer those of the call, and nothing but the layout says so.
- tooling-nodes lengthens the call's own list `cond_or_uncond` in place, and shortens it afterwards.
"""

from __future__ import annotations

from typing import Any

import torch

NEGATIVE = 1


class Couple:
    """Regions with a context each: [1, T, C]; masks: [regions, H, W], which sum to 1."""

    def __init__(self, contexts: list[torch.Tensor], masks: torch.Tensor) -> None:
        self.contexts = contexts
        self.masks = masks
        self.pictures = 0

    def widen(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sides = options["cond_or_uncond"]
        self.pictures = len(q) // len(sides)
        texts = torch.cat([text.to(k).expand(self.pictures, -1, -1) for text in self.contexts])
        queries, keys = [], []
        for side, some, text in zip(sides, q.chunk(len(sides)), k.chunk(len(sides)), strict=True):
            many = 1 if side == NEGATIVE else len(self.contexts)
            queries.append(some.repeat(many, 1, 1))
            keys.append(text if side == NEGATIVE else texts)
        self.widened(options)
        context = torch.cat(keys)
        return torch.cat(queries), context, context

    def join(self, out: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        size = options["activations_shape"][-2:]
        masks = torch.nn.functional.interpolate(self.masks[:, None], size=size).flatten(1)
        factors = masks[:, None, :, None].to(out)
        parts, start = [], 0
        for side in self.joined(options):
            many = 1 if side == NEGATIVE else len(self.contexts)
            rows = out[start : start + many * self.pictures]
            start += len(rows)
            regions = rows.unflatten(0, (many, self.pictures))
            parts.append(rows if side == NEGATIVE else (regions * factors).sum(0))
        return torch.cat(parts)

    def widened(self, options: dict[str, Any]) -> None:
        """Called when the rows have become more."""

    def joined(self, options: dict[str, Any]) -> list[int]:
        """The sides of the call, when its rows are to be joined again."""
        return list(options["cond_or_uncond"])

    def on(self, model: Any) -> Any:
        patched = model.clone()
        patched.set_model_attn2_patch(self.widen)
        patched.set_model_attn2_output_patch(self.join)
        return patched


class LengtheningCouple(Couple):
    """The call's own list of sides is as long as the rows, between the two patches."""

    def widened(self, options: dict[str, Any]) -> None:
        sides = options["cond_or_uncond"]
        self.sides = list(sides)
        sides[:] = [s for s in sides for _ in range(1 if s == NEGATIVE else len(self.contexts))]

    def joined(self, options: dict[str, Any]) -> list[int]:
        options["cond_or_uncond"][:] = self.sides
        return self.sides


def hooked(couple: Couple | None, positive: list[Any]) -> list[Any]:
    """The positive side with the patches, or with none, as a hook of its own, which the host then
    runs alone."""
    import comfy.hooks

    patches = {}
    if couple is not None:
        patches = {"attn2_patch": [couple.widen], "attn2_output_patch": [couple.join]}
    hook = comfy.hooks.TransformerOptionsHook(
        transformers_dict={"patches": patches}, hook_scope=comfy.hooks.EnumHookScope.HookedOnly
    )
    group = comfy.hooks.HookGroup()
    group.add(hook)
    return comfy.hooks.set_hooks_for_conditioning(positive, hooks=group)
