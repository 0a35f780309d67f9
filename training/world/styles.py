"""Styles of painting: each changes a finished flat picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

PAPER = np.array([246.0, 241.0, 230.0])
SOFTNESS = 0.6
"""Standard deviation in pixels. Harder edges cost the autoencoder one to two decibels."""
BLOCK = 4
"""Pixels of a side of the pixel style's blocks."""


def flat(picture: np.ndarray) -> np.ndarray:
    """Plain areas of colour."""
    return picture


def sketch(picture: np.ndarray) -> np.ndarray:
    """Dark lines on paper, with a part of the colour left."""
    values = picture.astype(np.float32)
    soft = cv2.GaussianBlur(values, (0, 0), 2.0)
    line = np.clip((soft - values).max(axis=2, keepdims=True) / 36.0, 0, 1)
    return _bytes((0.55 * PAPER + 0.45 * values) * (1 - 0.55 * line))


def night(picture: np.ndarray) -> np.ndarray:
    """Dark and blue."""
    values = picture.astype(np.float32)
    return _bytes(values * np.array([0.52, 0.58, 0.76]) + np.array([4.0, 12.0, 42.0]))


def pastel(picture: np.ndarray) -> np.ndarray:
    """Light and pale."""
    return _bytes(0.58 * picture.astype(np.float32) + 0.42 * np.array([255.0, 240.0, 246.0]))


def pixel(picture: np.ndarray) -> np.ndarray:
    """Coarse blocks of few, strong colours."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // BLOCK, height // BLOCK), interpolation=cv2.INTER_AREA)
    strong = np.round(np.clip((small.astype(np.float32) - 128) * 1.25 + 128, 0, 255) / 32) * 32
    return cv2.resize(_bytes(strong), (width, height), interpolation=cv2.INTER_NEAREST)


def painted(picture: np.ndarray, style: str) -> np.ndarray:
    """A flat picture in a style; all edges but those of blocks are a little soft, as ink's are."""
    image = PAINTERS[style](picture)
    return image if style == "pixel" else cv2.GaussianBlur(image, (0, 0), SOFTNESS)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).round().astype(np.uint8)


PAINTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flat": flat,
    "sketch": sketch,
    "night": night,
    "pastel": pastel,
    "pixel": pixel,
}
"""Each takes and gives [H, W, 3] uint8."""
STYLES = tuple(PAINTERS)
