"""Crops as insightface's recognisers want them: five keypoints moved onto a template.

Those of pictures by OpenCV; with gradients, of pictures and of latents, by torch.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn import functional

from instantid_core.faces.alignment import ALIGNED_SIDE as CROP_SIDE
from instantid_core.faces.alignment import TEMPLATE as FULL_TEMPLATE

TEMPLATE = FULL_TEMPLATE.astype(np.float32)
"""Places of the keypoints in ArcFace's crops, in pixels."""


def similarities(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints [N, 5, 2] -> matrices [N, 2, 3] that move them onto the template.

    Least squares over scale, turn and shift, in closed form: as complex numbers, with both means
    taken away, the template is one factor times the keypoints.
    """
    found = keypoints[..., 0] + 1j * keypoints[..., 1]
    wanted = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    middle = found.mean(axis=1, keepdims=True)
    around = found - middle
    power = (np.abs(around) ** 2).sum(axis=1)
    factor = (around.conj() * (wanted - wanted.mean())).sum(axis=1) / power
    shift = wanted.mean() - factor * middle[:, 0]
    rows = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return np.array(rows).transpose(2, 0, 1)


def crops(images: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Pictures [N, H, W, 3] uint8 and keypoints [N, 5, 2] -> crops [N, 112, 112, 3] uint8."""
    side = (CROP_SIDE, CROP_SIDE)
    return np.stack(
        [
            cv2.warpAffine(image, matrix, side, borderValue=0.0)
            for image, matrix in zip(images, similarities(keypoints), strict=True)
        ]
    )


def normalised(crops: np.ndarray) -> torch.Tensor:
    """[N, 112, 112, 3] uint8 -> [N, 3, 112, 112] in -1..1, as insightface feeds crops."""
    return (torch.from_numpy(crops).movedim(-1, 1).float() - 127.5) / 127.5


def jittered(keypoints: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Keypoints [N, 5, 2] moved at random: `strength` is a fraction of the face's height.

    The eyes-to-mouth distance is about 0.4 of that height.
    """
    eyes, mouth = keypoints[:, :2].mean(axis=1), keypoints[:, 3:].mean(axis=1)
    heights = np.linalg.norm(mouth - eyes, axis=1) / 0.4
    noise = rng.normal(0, strength, keypoints.shape) * heights[:, None, None]
    return (keypoints + noise).astype(np.float32)


def ways_back(keypoints: np.ndarray) -> torch.Tensor:
    """Keypoints [N, 5, 2] -> matrices [N, 2, 3] from places in aligned crops to pixels, float32."""
    full = np.tile(np.eye(3), (len(keypoints), 1, 1))
    full[:, :2] = similarities(keypoints)
    return torch.from_numpy(np.linalg.inv(full)[:, :2].astype(np.float32))


def crop_grid(
    back: torch.Tensor, side: int, extent: tuple[int, int], corners: torch.Tensor | None = None
) -> torch.Tensor:
    """Places of `side` x `side` cells of aligned crops in views of pictures, for `grid_sample`:
    [N, side, side, 2], x and y, -1 and 1 at the view's borders.

    back: `ways_back`. extent: height and width of the views in pixels. corners: top and left of
    each view, [N, 2] pixels; None for whole pictures.
    """
    line = (torch.arange(side, device=back.device) + 0.5) * (CROP_SIDE / side) - 0.5
    v, u = torch.meshgrid(line, line, indexing="ij")
    # Not as a product of matrices: autocast would round pixels to eight bits.
    rows = back[..., None, None]
    places = rows[:, :, 0] * u + rows[:, :, 1] * v + rows[:, :, 2]
    if corners is not None:
        places = places - corners.flip(1)[..., None, None]
    height, width = extent
    return torch.stack([(2 * places[:, 0] + 1) / width, (2 * places[:, 1] + 1) / height], -1) - 1


def aligned(pictures: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, H, W] in -1..1 and `ways_back` -> crops [N, 3, 112, 112], black outside of
    pictures: `alignment.crops`, with gradients."""
    height, width = pictures.shape[2:]
    grid = crop_grid(back, CROP_SIDE, (height, width))
    return functional.grid_sample(pictures + 1, grid, align_corners=False) - 1
