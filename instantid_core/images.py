"""Between float image batches and uint8 frames. The only place where range and channels change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .errors import ImageError
from .types import Extent


def frames_of(images: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Split an image batch into RGB frames.

    images: [B, H, W, C] (or one [H, W, C]) float, 0..1, any device; C is 1 (grey), 3 or 4
    (alpha is dropped). Returns B arrays [H, W, 3] uint8. Values are rounded, so an 8-bit photo
    comes back bit for bit. Raises ImageError for other shapes, empty pictures and NaN.
    """
    levels = (colours_of(images) * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return tuple(np.ascontiguousarray(frame) for frame in levels)


def colours_of(images: torch.Tensor) -> torch.Tensor:
    """Bring an image batch to [B, H, W, 3] float32 on the CPU; shapes and errors as `frames_of`."""
    return pixels_of(images)[..., :3]


def pixels_of(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3 or 4] float32 on the CPU: grey becomes colour, alpha stays.

    Shapes and errors as `frames_of`.
    """
    batch = images.unsqueeze(0) if images.ndim == 3 else images
    _require_picture(batch)
    pixels = batch.detach().float().cpu()
    for number, picture in enumerate(pixels, start=1):
        if not torch.isfinite(picture).all():
            raise ImageError(
                f"Image {number} of {len(pixels)} holds NaN or infinite pixels. A VAE running in "
                "too low a precision usually makes them: decode again in fp32 or use another VAE."
            )
    return pixels.expand(-1, -1, -1, 3) if pixels.shape[-1] == 1 else pixels


def batch_of(frames: Sequence[np.ndarray]) -> torch.Tensor:
    """Stack equal-sized RGB frames ([H, W, 3] uint8) into [B, H, W, 3] float32, 0..1, CPU."""
    return torch.from_numpy(np.stack(frames)).float() / 255


def extent_of(frame: np.ndarray) -> Extent:
    """Size of a frame [H, W, ...]."""
    return Extent(width=frame.shape[1], height=frame.shape[0])


def region_mask(mask: torch.Tensor) -> torch.Tensor:
    """Check a mask and bring it to [M, H, W] float32, 0..1, CPU.

    mask: [H, W], [M, H, W] or [M, 1, H, W]. Raises ImageError for other shapes and for NaN.
    """
    if mask.ndim == 4 and mask.shape[1] == 1:
        mask = mask[:, 0]
    if mask.ndim == 2:
        mask = mask.unsqueeze(0)
    if mask.ndim != 3 or 0 in mask.shape:
        raise ImageError(
            "Expected a mask as [batch, height, width] with at least one pixel, found shape "
            f"{list(mask.shape)}. Connect a MASK output."
        )
    values = mask.detach().float().cpu()
    if not torch.isfinite(values).all():
        raise ImageError("The mask holds NaN or infinite values. Expected numbers from 0 to 1.")
    return values.clamp(0, 1)


def _require_picture(batch: torch.Tensor) -> None:
    shape = list(batch.shape)
    if batch.ndim != 4 or shape[-1] not in (1, 3, 4):
        raise ImageError(
            "Expected images as [batch, height, width, channels] with 1, 3 or 4 channels, "
            f"found a tensor of shape {shape}. Connect an IMAGE output."
        )
    if 0 in shape:
        raise ImageError(
            f"Expected at least one image with at least one pixel, found shape {shape}. "
            "Check the crop or batch node in front of this one."
        )
