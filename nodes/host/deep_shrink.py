"""ComfyUI's Deep Shrink beside IdentityNet, whose residuals fit no shrunken layer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

MODULE = "nodes_model_downscale"
"""Module in which the host's PatchModelAddDownscale defines its patch."""
SHRUNKEN = (
    "Deep Shrink (PatchModelAddDownscale) shrinks layers while IdentityNet acts, and ComfyUI "
    "leaves out the residuals that no longer fit, so the pose of the face is weak. Set start_at of "
    "IdentityNet to Deep Shrink's end_percent, or take Deep Shrink out of the graph."
)
PATCHES = ("input_block_patch", "input_block_patch_after_skip")


def about_deep_shrink(options: Mapping[str, Any], sigma: Any) -> Iterator[str]:
    """A sentence where a shrinking patch acts in a call that IdentityNet acts in.

    options: the transformer options. sigma: returns the noise level; called only where there is
    such a patch.
    """
    patches = options.get("patches", {})
    for patch in (each for name in PATCHES for each in patches.get(name, ())):
        if not str(getattr(patch, "__module__", "")).endswith(MODULE):
            continue
        known = inspect.getclosurevars(patch).nonlocals
        start, end = known.get("sigma_start", float("inf")), known.get("sigma_end", 0.0)
        if end <= sigma() <= start:
            yield SHRUNKEN
