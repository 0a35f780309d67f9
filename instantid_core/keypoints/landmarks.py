"""The hint of InstantID for SD 1.5: five keypoints, dimmed, under 106 landmarks.

Style of TheDenk/InstantID-SD1.5 (`instantid/utils/keypoints_utils.py`, `load_components.py`): the
picture of the five keypoints at 60 %, and on it a disc of 3 pixels for each landmark, coloured by
the part of the face.
"""

from __future__ import annotations

import numpy as np
import torch

from ..images import batch_of
from ..libraries import import_cv2
from ..types import Extent, Faces, FrameFaces, KeypointStyle
from .drawing import draw_frame
from .geometry import placement

BRIGHTNESS = 0.6
RADIUS = 3
LANDMARKS = 106
PARTS = (
    (33, (0, 255, 255)),
    (52, (255, 0, 0)),
    (72, (255, 255, 0)),
    (87, (0, 0, 255)),
    (LANDMARKS, (0, 255, 0)),
)
"""End of each part's landmarks, and its RGB: cheeks, one eye, lips, nose, the other eye."""


def draw(faces: Faces, extent: Extent, fit: str) -> torch.Tensor:
    """Draw each frame's faces: [frames, height, width, 3] float32, 0..1, CPU.

    A face without landmarks, such as one of a pose, is drawn by its five keypoints alone.
    """
    return batch_of([_draw_frame(frame, extent, fit, faces.style) for frame in faces.frames])


def without_landmarks(faces: Faces) -> int:
    """Number of the faces that would be drawn by five keypoints alone."""
    return sum(face.landmarks is None for face in faces.all)


def _draw_frame(frame: FrameFaces, extent: Extent, fit: str, style: KeypointStyle) -> np.ndarray:
    canvas = (draw_frame(frame, extent, fit, style) * BRIGHTNESS).astype(np.uint8)
    place = placement(frame.extent, extent, fit)
    for face in frame.faces:
        if face.landmarks is not None:
            _draw_points(canvas, place.apply(face.landmarks))
    return canvas


def _draw_points(canvas: np.ndarray, points: np.ndarray) -> None:
    cv2 = import_cv2()
    for number, (x, y) in enumerate(points):
        colour = next(colour for end, colour in PARTS if number < end)
        cv2.circle(canvas, (int(x), int(y)), RADIUS, colour, -1)
