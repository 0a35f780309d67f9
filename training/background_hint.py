"""The colours of what stands around people, as a hint for another ControlNet."""

from __future__ import annotations

import cv2
import numpy as np

from .networks.autoencoder import FACTOR

UNKNOWN = 0.5
"""Value of the hint where it says nothing: mid grey."""
MARGIN = 0.1
"""Distance beyond a face within which the hint is grey, in widths and heights of its box. Wider,
and nothing is left around a portrait."""


def colours(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """`places` drawn at the picture's size: [H, W, 3] float32 in 0..1."""
    return places(image, boxes).repeat(FACTOR, axis=0).repeat(FACTOR, axis=1)


def places(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8 RGB and its faces' boxes [P, 4] -> mean colours, one for each place
    of a latent, grey around faces: [h, w, 3] float32 in 0..1."""
    found = cells(image)
    found[~cells_around(boxes, *image.shape[:2])] = UNKNOWN
    return found


def cells(image: np.ndarray) -> np.ndarray:
    """Mean colours of a picture [H, W, 3] uint8 at the places of a latent: [h, w, 3] in 0..1."""
    size = (image.shape[1] // FACTOR, image.shape[0] // FACTOR)
    return cv2.resize(image.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)


def cells_around(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The places of a latent that no face is near, [h, w] bool. boxes: [P, 4] pixels."""
    y, x = FACTOR * (np.mgrid[: height // FACTOR, : width // FACTOR] + 0.5)
    free = np.ones(x.shape, bool)
    for x0, y0, x1, y1 in boxes:
        wide, high = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        inside = (x >= x0 - wide) & (x <= x1 + wide) & (y >= y0 - high) & (y <= y1 + high)
        free &= ~inside
    return free


def deviation(found: np.ndarray, wanted: np.ndarray, boxes: np.ndarray) -> float:
    """Distance between the colours of two pictures [H, W, 3] uint8 around faces, in levels of
    0..255: the root mean square over places and channels. NaN where faces leave no place."""
    free = cells_around(boxes, *wanted.shape[:2])
    apart = (cells(found) - cells(wanted))[free]
    return float(255 * np.sqrt(np.square(apart).mean())) if free.any() else float("nan")
