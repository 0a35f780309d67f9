"""Batches of images and latents as the host has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...instantid_core.errors import SettingError


def joined(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """One batch [B, H, W, C] of a list of batches. Raises SettingError for different sizes."""
    sizes = {tuple(batch.shape[1:]) for batch in images}
    if len(sizes) > 1:
        found = ", ".join(f"{width} x {height}" for height, width, _ in sorted(sizes))
        raise SettingError(
            f"images should have one size, found {found}. Bring them to one size with ComfyUI's "
            "Upscale Image, or use one node for each size."
        )
    return torch.cat(tuple(images))


def picked(batch: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
    """The entries of a batch at these places, in their order."""
    return batch[list(places)]


def picked_latent(latent: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    """A latent with the entries at these places: samples, and everything else that is per picture.

    Raises SettingError where it has fewer pictures than the places ask for.
    """
    count = len(latent["samples"])
    if count <= max(places):
        raise SettingError(
            f"latents should be those of the images, found {count} for image {max(places) + 1}. "
            "Connect the latents that the images were decoded from."
        )
    return {name: _of_places(value, count, places) for name, value in latent.items()}


def _of_places(value: Any, count: int, places: Sequence[int]) -> Any:
    if isinstance(value, torch.Tensor) and len(value) == count:
        return picked(value, places)
    if isinstance(value, list) and len(value) == count:
        return [value[place] for place in places]
    return value
