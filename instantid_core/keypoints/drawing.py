"""Draw five facial keypoints as the picture that IdentityNet was trained on.

Style of InstantID's `draw_kps`: every outer point joined to the nose, sticks dimmed to 60 %, points
as full discs on top, sizes in pixels whatever the size of the picture. The reference draws at the
size of the output, so this module fits the points to the output first and draws afterwards.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..images import batch_of
from ..libraries import import_cv2
from ..types import REFERENCE_STYLE, Extent, Faces, FrameFaces, KeypointStyle
from .geometry import placement

NOSE = 2
OUTER_POINTS = (0, 1, 3, 4)
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
"""RGB per keypoint: image-left eye, image-right eye, nose, mouth left, mouth right."""
STICK_HALF_WIDTH = 4
STICK_BRIGHTNESS = 0.6
POINT_RADIUS = 10
USUAL_SIDE = 1016
"""Longer side of a drawing whose size nobody has asked for: about what SDXL pictures have."""


def usual_extent(source: Extent) -> Extent:
    """A picture's shape at the usual size, each side a multiple of 8."""
    scale = USUAL_SIDE / max(source)
    return Extent(*(max(8, round(side * scale / 8) * 8) for side in source))


def draw(faces: Faces, extent: Extent, fit: str = "letterbox") -> torch.Tensor:
    """Draw each frame's faces: [frames, height, width, 3] float32, 0..1, CPU.

    A frame without faces stays black, which leaves IdentityNet's pose to the prompt.
    """
    return batch_of([draw_frame(frame, extent, fit, faces.style) for frame in faces.frames])


def draw_frame(
    frame: FrameFaces, extent: Extent, fit: str, style: KeypointStyle = REFERENCE_STYLE
) -> np.ndarray:
    """Draw one frame's faces as [height, width, 3] uint8 RGB."""
    canvas = np.zeros((extent.height, extent.width, 3), np.uint8)
    place = placement(frame.extent, extent, fit)
    everyone = [place.apply(face.keypoints) for face in frame.faces]
    for points in everyone:
        _draw_sticks(canvas, points)
    canvas = (canvas * (STICK_BRIGHTNESS * style.limbs)).clip(0, 255).astype(np.uint8)
    for points in everyone if style.points else ():
        _draw_points(canvas, points, style.points)
    return canvas


def _draw_sticks(canvas: np.ndarray, points: np.ndarray) -> None:
    cv2 = import_cv2()
    for outer in OUTER_POINTS:
        start, end = points[outer], points[NOSE]
        reach_x, reach_y = start - end
        middle = (start + end) / 2
        stick = cv2.ellipse2Poly(
            (int(middle[0]), int(middle[1])),
            (int(math.hypot(reach_x, reach_y) / 2), STICK_HALF_WIDTH),
            int(math.degrees(math.atan2(reach_y, reach_x))),
            0,
            360,
            1,
        )
        cv2.fillConvexPoly(canvas, stick, COLOURS[outer])


def _draw_points(canvas: np.ndarray, points: np.ndarray, brightness: float) -> None:
    cv2 = import_cv2()
    for (x, y), colour in zip(points, COLOURS, strict=True):
        ink = tuple(min(int(level * brightness), 255) for level in colour)
        cv2.circle(canvas, (int(x), int(y)), POINT_RADIUS, ink, -1)
