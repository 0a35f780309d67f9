"""Square views of one face: turned upright, and at a size that suits the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..libraries import import_cv2
from ..types import Box, Detection
from .alignment import alignment_of

VIEW_SIDE = 320
"""Pixels of a view, and the size at which the detector looks at it."""
UPRIGHT_ROLL = 28.0
"""Degrees of tilt up to which face models see a face as well as an upright one."""
CONTEXT = 2.5
"""Side of a view, in longer sides of the face's box: the face is about 130 pixels large in it."""


@dataclass(frozen=True, eq=False)
class View:
    """A square of a picture, turned about its middle."""

    pixels: np.ndarray
    """[VIEW_SIDE, VIEW_SIDE, 3] uint8."""
    matrix: np.ndarray
    """[2, 3] float64: from pixels of the view to pixels of the picture."""
    angle: float
    """Degrees by which a face that is upright in the view is turned clockwise in the picture."""

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """[..., 2] pixels of the view -> [..., 2] pixels of the picture, float32."""
        placed = np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return placed.astype(np.float32)

    def box_in_view(self, face: Detection) -> Box:
        """The box of a face of the picture around whose box the view was made."""
        middle, half = VIEW_SIDE / 2, VIEW_SIDE / CONTEXT / 2
        shape = max(face.box.width, face.box.height)
        across, down = (half * side / shape for side in (face.box.width, face.box.height))
        return Box(middle - across, middle - down, middle + across, middle + down)

    def face_in_picture(self, found: Detection) -> Detection:
        """A face found in the view, as a face of the picture.

        Its box is the one around the ellipse of the box found, turned: that does not grow with the
        angle as a turned rectangle does.
        """
        scale = math.hypot(*self.matrix[:, 0])
        turned = abs(self.matrix[:, :2]) * np.array([found.box.width, found.box.height]) / 2
        half = np.hypot(turned[:, 0], turned[:, 1])
        if self.angle % 90 == 0:
            half = turned.sum(axis=1)
        middle = self.to_picture(np.array(found.box.centre)).astype(np.float64)
        box = Box(*(middle - half).tolist(), *(middle + half).tolist()) if scale else found.box
        return replace(found, box=box, keypoints=self.to_picture(found.keypoints))


def upright_view(bgr: np.ndarray, face: Detection) -> View | None:
    """A view in which the face is upright; None for one that is so in the picture."""
    roll = alignment_of(face.keypoints).roll
    return view_of(bgr, face.box, roll) if abs(roll) > UPRIGHT_ROLL else None


def view_of(bgr: np.ndarray, box: Box, angle: float) -> View:
    """A view around a face's box, in which a face turned clockwise by `angle` degrees is upright.

    Outside the picture it is black, like the detector's own padding.
    """
    cv2 = import_cv2()
    side = max(CONTEXT * max(box.width, box.height), 2.0)
    source, corner, shrunk = _around(bgr, box.centre, side)
    scale = side / VIEW_SIDE
    across = scale * math.cos(math.radians(angle))
    down = scale * math.sin(math.radians(angle))
    matrix = np.array([[across, -down, 0.0], [down, across, 0.0]])
    middle = (VIEW_SIDE - 1) / 2
    matrix[:, 2] = np.array(box.centre) - matrix[:, :2] @ (middle, middle)
    onto_source = matrix.copy()
    onto_source[:, 2] -= corner
    onto_source /= shrunk
    onto_source[:, 2] += (1 / shrunk - 1) / 2
    pixels = cv2.warpAffine(
        source,
        onto_source,
        (VIEW_SIDE, VIEW_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return View(pixels, matrix, angle)


def _around(
    bgr: np.ndarray, centre: tuple[float, float], side: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The part of the picture that a turned square can show, its corner, and the factor by which it
    was shrunk beforehand, so that the warp does not skip pixels."""
    cv2 = import_cv2()
    reach = side * math.sqrt(0.5) + 2
    height, width = bgr.shape[:2]
    left, top = (max(0, math.floor(middle - reach)) for middle in centre)
    right = min(width, math.ceil(centre[0] + reach))
    bottom = min(height, math.ceil(centre[1] + reach))
    part = bgr[top : max(bottom, top + 1), left : max(right, left + 1)]
    shrunk = max(1, math.floor(side / VIEW_SIDE))
    size = part.shape[1] // shrunk, part.shape[0] // shrunk
    if shrunk == 1 or not all(size):
        return part, np.array([left, top], np.float64), 1.0
    whole = part[: size[1] * shrunk, : size[0] * shrunk]
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    return small, np.array([left, top], np.float64), float(shrunk)
