"""Alignment of the five points of a face with the recogniser's template."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

ALIGNED_SIDE = 112
"""Pixels: side of the crop that ArcFace sees."""
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""[5, 2] pixels of the five points in that crop (insightface, `face_align.arcface_dst`)."""


class Alignment(NamedTuple):
    """The similarity that brings the template nearest to five points of a picture."""

    scale: float
    """Pixels of the picture in one pixel of the aligned crop."""
    roll: float
    """Degrees by which the face is turned clockwise, -180..180."""
    residual: float
    """Mean distance of the points to the template, in pixels of the aligned crop."""
    offset: tuple[float, float]
    """Position of the crop's corner (0, 0) in the picture, in pixels."""

    @property
    def span(self) -> float:
        """Side of the square of the picture that the recogniser sees, in pixels."""
        return ALIGNED_SIDE * self.scale

    @property
    def matrix(self) -> np.ndarray:
        """[2, 3]: from pixels of the aligned crop to pixels of the picture."""
        angle = math.radians(self.roll)
        across, down = self.scale * math.cos(angle), self.scale * math.sin(angle)
        return np.array([[across, -down, self.offset[0]], [down, across, self.offset[1]]])


def alignment_of(keypoints: np.ndarray) -> Alignment:
    """The alignment of five points [5, 2] in pixels, by least squares."""
    points, template = (np.asarray(each, np.float64) @ (1, 1j) for each in (keypoints, TEMPLATE))
    middle, centre = points.mean(), template.mean()
    around = template - centre
    turn = complex(np.vdot(around, points - middle) / np.vdot(around, around).real)
    if not abs(turn):
        return Alignment(0.0, 0.0, math.inf, (float(middle.real), float(middle.imag)))
    apart = (points - middle) / turn - around
    residual = math.sqrt(float(np.mean(np.abs(apart) ** 2)))
    corner = middle - turn * centre
    roll = math.degrees(math.atan2(turn.imag, turn.real))
    return Alignment(abs(turn), roll, residual, (float(corner.real), float(corner.imag)))
