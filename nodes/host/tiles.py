"""Packs that sample a picture in tiles: what they need, and what they cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...instantid_core.adapter import Latent
from .notices import warn
from .row_conds import APPLIED, DOUBLE, PLACE, CoordinateCond

TILED_DIFFUSION = "tiled_diffusion"
"""Model option that ComfyUI-TiledDiffusion sets. It cannot cut a cond of the latent's own size
(`bboxes_ = bboxes` in its tiled_diffusion.py), only those of other sizes."""
ROLLING = "SpotDiffusion"
"""Its method that shifts the latent along one axis and conds along both, so that no cond says where
a tile lies."""
NO_MASKS = (
    "SpotDiffusion moves its tiles in a way that no mask can follow, so InstantID's mask covers "
    "each tile as if it were the picture. Choose MultiDiffusion or Mixture of Diffusers as the "
    "method of Tiled Diffusion, or disconnect the mask."
)
OWN_HINTS = (
    "Another pack cuts IdentityNet's keypoints into tiles of its own. They were drawn in the "
    "photo's shape, so their proportions may be wrong. Use InstantID Draw Keypoints at the size of "
    "the finished picture, and connect its image to InstantID Apply IdentityNet in place of faces."
)
NO_PLACE = (
    "Another pack samples in tiles and does not say where they lie, so IdentityNet's mask covers "
    "each tile as if it were the picture. Disconnect the mask in tiled upscalers and detailers."
)


def place_for(model_options: Mapping[str, Any], latent: Latent) -> dict[str, CoordinateCond]:
    """The cond that says where in the latent a call's cells lie, by its name; none where the pack
    that cuts the tiles would make it wrong, which is said if there is a mask."""
    if not model_options.get(TILED_DIFFUSION):
        return {PLACE: CoordinateCond.of(latent)}
    method = type(model_options.get("model_function_wrapper")).__name__
    if method != ROLLING:
        return {PLACE: CoordinateCond.of(latent, DOUBLE)}
    installed = model_options["transformer_options"].get(APPLIED, ())
    if any(each.applied.region is not None for each in installed):
        warn((NO_MASKS,))
    return {}
