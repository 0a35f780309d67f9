"""Crops as insightface's recognisers want them: five keypoints moved onto a template."""

from __future__ import annotations

import cv2
import numpy as np

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


def jittered(keypoints: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Keypoints [N, 5, 2] moved at random: `strength` is a fraction of the face's height.

    The eyes-to-mouth distance is about 0.4 of that height.
    """
    eyes, mouth = keypoints[:, :2].mean(axis=1), keypoints[:, 3:].mean(axis=1)
    heights = np.linalg.norm(mouth - eyes, axis=1) / 0.4
    noise = rng.normal(0, strength, keypoints.shape) * heights[:, None, None]
    return (keypoints + noise).astype(np.float32)
