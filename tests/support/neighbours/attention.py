"""Packs that take cross-attention for themselves, or give it other rows."""

from __future__ import annotations

from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.patcher_extension import WrappersMP

from support.older_neighbours_node.foreign_attention import SITES

MIDDLE = [("middle", 0, layer) for layer in range(10)]
OUTER = [key for key in SITES if key[0] != "middle"]


def overwritten(model: Any, keys: list[Any]) -> Any:
    """As PLADIS (sd-perturbed-attention) and attention-couple-ComfyUI leave a model.

    Their fault: a function is put over cross-attention without a look at what is there.
    """
    patched = model.clone()
    for key in keys:
        patched.set_model_attn2_replace(_sparse, *key)
    return patched


def _sparse(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    """A function of the text alone, where PLADIS sharpens its attention."""
    return 1.1 * optimized_attention(q, k, v, options["n_heads"])


_sparse.__module__ = "/srv/ComfyUI/custom_nodes/sd-perturbed-attention.pladis_nodes"
"""As the host's loader names a pack's modules."""


def chained(model: Any) -> Any:
    """As NAG of sd-perturbed-attention: what is there is kept in a closure, and called."""
    patched = model.clone()
    present = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    for key in [*OUTER, *MIDDLE]:
        patched.set_model_attn2_replace(_around(present[key]), *key)
    return patched


def _around(previous: Any) -> Any:
    def guided(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
        return 1.1 * previous(q, k, v, options)

    return guided


def with_more_context(model: Any, text: torch.Tensor) -> Any:
    """As ComfyUI-NAG: a text more in the context than there are rows of pictures.

    Its fault: it exchanges the forward of the cross-attention modules to take that row out again,
    and ComfyUI calls no such forward where a replacement lies at the site.
    """
    patched = model.clone()

    def longer(executor: Any, x: Any, timesteps: Any, context: Any, *rest: Any, **k: Any) -> Any:
        return executor(x, timesteps, torch.cat([context, text.to(context)]), *rest, **k)

    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "nag", longer)
    return patched


def with_own_blocks(model: Any, keys: list[Any]) -> Any:
    """As Advanced-ControlNet's Reference net and AnimateDiff's ContextRef: a forward of the
    transformer blocks of its own.

    Its fault: the options that it hands to a site's patch have the heads, and no precision.
    """
    patched = model.clone()
    present = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    for key in keys:
        patched.set_model_attn2_replace(_with_few_options(present[key]), *key)
    return patched


def _with_few_options(patch: Any) -> Any:
    def called(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
        known = {name: value for name, value in options.items() if name != "attn_precision"}
        return patch(q, k, v, known)

    return called


def only_long_texts(attend: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
    """An attention override, as of Sage attention.

    Its fault: it cannot take few keys, and does not say so beforehand. Self-attention is left out:
    in the small pictures of tests it has few as well.
    """
    queries, keys = args[:2]
    if keys.shape[1] < 64 and keys.shape[1] != queries.shape[1]:
        raise RuntimeError(f"no kernel for {keys.shape[1]} keys")
    return attend(*args, **kwargs)
