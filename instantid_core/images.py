"""Between float image batches and uint8 frames. The only place where range and channels change."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from .errors import ImageError
from .types import Extent

ROWS_AT_A_TIME = 256
"""Rows that are converted together, so that a large photo needs no second copy as floats."""
HIGHEST, LOWEST = 32.0, -0.75
"""Values that no picture in 0..1 reaches, not even one with over- and undershoots or highlights."""


def frames_of(images: torch.Tensor) -> tuple[np.ndarray, ...]:
    """Split an image batch into RGB frames.

    images: [B, H, W, C] (or one [H, W, C]) float, 0..1, any device; C is 1 (grey), 3 or 4
    (alpha is dropped). Returns B arrays [H, W, 3] uint8. Values are rounded, so an 8-bit photo
    comes back bit for bit. Raises ImageError for other shapes and ranges, empty pictures and NaN.
    """
    batch = _require_pictures(images)
    return tuple(_frame(picture) for picture in batch)


def colours_of(images: torch.Tensor) -> torch.Tensor:
    """Bring an image batch to [B, H, W, 3] float32 on the CPU; shapes and errors as `frames_of`."""
    return pixels_of(images)[..., :3]


def pixels_of(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3 or 4] float32 on the CPU: grey becomes colour, alpha stays.

    Shapes and errors as `frames_of`.
    """
    pixels = _require_pictures(images).float().cpu()
    return pixels.expand(-1, -1, -1, 3) if pixels.shape[-1] == 1 else pixels


def _frame(picture: torch.Tensor) -> np.ndarray:
    """[H, W, C] of any type -> [H, W, 3] uint8."""
    height, width = picture.shape[:2]
    frame = torch.empty(height, width, 3, dtype=torch.uint8)
    for top in range(0, height, ROWS_AT_A_TIME):
        rows = picture[top : top + ROWS_AT_A_TIME, :, :3].float().cpu()
        frame[top : top + ROWS_AT_A_TIME] = (rows * 255).round_().clamp_(0, 255)
    return frame.numpy()


def batch_of(frames: Sequence[np.ndarray]) -> torch.Tensor:
    """Stack equal-sized RGB frames ([H, W, 3] uint8) into [B, H, W, 3] float32, 0..1, CPU."""
    batch = torch.empty(len(frames), *frames[0].shape)
    for picture, frame in zip(batch.numpy(), frames, strict=True):
        np.copyto(picture, frame)
    return batch.div_(255)


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


def _require_pictures(images: torch.Tensor) -> torch.Tensor:
    """[B, H, W, C] without gradients. Raises ImageError as `frames_of`."""
    batch = (images.unsqueeze(0) if images.ndim == 3 else images).detach()
    _require_shape(batch)
    for number, picture in enumerate(batch, start=1):
        _require_range(picture, f"Image {number} of {len(batch)}")
    return batch


def _require_range(picture: torch.Tensor, name: str) -> None:
    """Check the values in one pass without a copy; NaN comes through both ends."""
    lowest, highest = (float(end) for end in torch.aminmax(picture))
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise ImageError(
            f"{name} holds NaN or infinite pixels. A VAE running in too low a precision usually "
            "makes them: decode again in fp32 or use another VAE."
        )
    if highest > HIGHEST:
        raise ImageError(
            f"{name} has values up to {highest:g}; expected 0 to 1. Divide a picture whose values "
            "go from 0 to 255 by 255."
        )
    if lowest < LOWEST:
        raise ImageError(
            f"{name} has values down to {lowest:g}; expected 0 to 1. A picture whose values go "
            "from -1 to 1 needs 1 added, and then to be divided by 2."
        )


def _require_shape(batch: torch.Tensor) -> None:
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
