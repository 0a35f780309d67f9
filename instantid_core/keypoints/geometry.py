"""Proportions of a face: a model of its five points, and the oval and the box around them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from ..errors import one_of
from ..types import Box, Detection, Extent

FACE_MODEL = np.array(
    [
        [-0.1797, 0.0, 0.0],
        [0.1797, 0.0, 0.0],
        [0.0, 0.1718, 0.17],
        [-0.139, 0.3655, 0.02],
        [0.139, 0.3655, 0.02],
    ]
)
"""[5, 3] x to image right, y down, z towards the viewer, from the middle of the eyes of a face that
looks straight ahead. One unit is the height of the face, from the upper forehead to the chin."""
EYE_SPAN = float(FACE_MODEL[1, 0] - FACE_MODEL[0, 0])
EYES_TO_MOUTH = float(FACE_MODEL[3, 1])
CENTRE_BELOW_EYES = 0.10
"""Distance of the middle of the face below the eyes, which are at 0.4 of its height."""
HALF_HEIGHT, HALF_WIDTH = 0.5, 0.37
MIRRORED_ORDER = [1, 0, 2, 4, 3]
"""Order of a flipped face's points, so that image-left stays before image-right."""

FITS = ("letterbox", "crop", "stretch")
"""Ways to lay one picture on another."""

AnyFace = TypeVar("AnyFace", bound=Detection)


class Placement(NamedTuple):
    """Position of a picture on another: `target = source * scale + offset`, per axis, in pixels."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def apply(self, points: np.ndarray) -> np.ndarray:
        """[..., 2] source pixels -> [..., 2] target pixels, float64."""
        return np.asarray(points, np.float64) * self.scale + self.offset


def placement(source: Extent, target: Extent, fit: str) -> Placement:
    """Placement of `source` on `target`.

    `letterbox` shows all of it, centred; `crop` covers the target, centred; `stretch` fills it and
    changes the face's proportions.
    """
    ratios = target.width / source.width, target.height / source.height
    if fit == "stretch":
        return Placement(ratios, (0.0, 0.0))
    one_of("fit", fit, FITS)
    scale = min(ratios) if fit == "letterbox" else max(ratios)
    margins = target.width - source.width * scale, target.height - source.height * scale
    return Placement((scale, scale), (margins[0] / 2, margins[1] / 2))


class Oval(NamedTuple):
    """The ellipse of a face."""

    centre: tuple[float, float]
    """(x, y) in pixels."""
    half_width: float
    half_height: float
    """Along the face, from its middle to the chin."""
    down: tuple[float, float]
    """Unit vector from the eyes to the mouth."""

    @property
    def size(self) -> float:
        """Height of the face in pixels."""
        return 2 * self.half_height

    @property
    def box(self) -> Box:
        """The smallest upright box around it."""
        x, y = self.down
        reach_x = math.hypot(self.half_width * y, self.half_height * x)
        reach_y = math.hypot(self.half_width * x, self.half_height * y)
        return _box_at(self.centre, reach_x, reach_y)


def oval_of_points(points: np.ndarray) -> Oval:
    """The oval of a face with these keypoints [5, 2] in pixels.

    Its size is the larger of two estimates, from the span of the eyes and from the distance to
    the mouth: turning a head shortens one of them at a time.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(points, np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across, along = right_eye - left_eye, mouth - eyes
    size = max(math.hypot(*across) / EYE_SPAN, math.hypot(*along) / EYES_TO_MOUTH)
    middle = eyes + along * (CENTRE_BELOW_EYES / EYES_TO_MOUTH)
    centre = (float(middle[0]), float(middle[1]))
    return Oval(centre, HALF_WIDTH * size, HALF_HEIGHT * size, _direction(along, across))


def box_of_points(points: np.ndarray) -> Box:
    """The box that a detector would report for keypoints [5, 2], by the model's proportions."""
    return oval_of_points(points).box


def box_of(face: Detection) -> Box:
    """The face's box; made from its keypoints where it has none of any size."""
    is_real = all(map(math.isfinite, face.box)) and face.box.width > 0 and face.box.height > 0
    return face.box if is_real else box_of_points(face.keypoints)


def oval_of(face: Detection) -> Oval:
    """The oval of a face: direction and proportions from its keypoints, place and size from its
    box, which sees forehead and chin."""
    oval, box = oval_of_points(face.keypoints), box_of(face)
    if not oval.size:
        return Oval(box.centre, box.width / 2, box.height / 2, (0.0, 1.0))
    scale = math.sqrt(box.area / oval.box.area)
    return Oval(box.centre, oval.half_width * scale, oval.half_height * scale, oval.down)


def moved(face: AnyFace, place: Placement) -> AnyFace:
    """The same face on another picture."""
    corners = place.apply(np.array(face.box).reshape(2, 2))
    points = place.apply(face.keypoints).astype(np.float32)
    marks = None if face.landmarks is None else place.apply(face.landmarks).astype(np.float32)
    box = Box(*corners.reshape(-1).tolist())
    return replace(face, box=box, keypoints=points, landmarks=marks)


def _direction(along: np.ndarray, across: np.ndarray) -> tuple[float, float]:
    """Unit vector down the face; from the eyes alone where eyes and mouth coincide."""
    x, y = along if along.any() else (-across[1], across[0])
    length = math.hypot(x, y)
    return (float(x / length), float(y / length)) if length else (0.0, 1.0)


def _box_at(centre: tuple[float, float], reach_x: float, reach_y: float) -> Box:
    x, y = centre
    return Box(x - reach_x, y - reach_y, x + reach_x, y + reach_y)
