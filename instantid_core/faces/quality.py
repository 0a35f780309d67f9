"""Sharpness, brightness and noise of a face as the recogniser sees it."""

from __future__ import annotations

from enum import Enum

import numpy as np

from ..libraries import import_cv2
from ..types import Detection, Face, FaceQuality
from .alignment import ALIGNED_SIDE, alignment_of

SMALL_SPAN = 56.0
"""Pixels across the recogniser's crop below which a face is enlarged to more than its double. The
embedding has then changed by a cosine of 0.9 or less."""
BLURRED, DARK, NOISY = 0.15, 0.18, 15.0
"""Sharpness, brightness and noise at which an embedding has changed by a cosine of about 0.7 or
less. Photographs that are well seen have 0.155 to 0.35, 0.40 to 0.71 and at most 6."""
TURNED_AWAY = 0.6
"""Distance of the nose from the middle of the eyes above which a face is a profile, in eye
distances. `geometry.FACE_MODEL` has it when turned by 52 degrees; at 60 it has 0.8."""
SURE_DETECTION = 0.65
"""Detector score below which a face is hidden in part, or cut by the edge of the picture, so that
its likeness would be no fair figure."""
FACE_PART = slice(20, 104), slice(24, 88)
"""Rows and columns of the aligned crop that are face, whatever is behind it."""


class Flaw(Enum):
    """A reason why the recogniser can hardly see a face."""

    SMALL = "small"
    BLURRED = "blurred"
    DARK = "dark"
    NOISY = "noisy"
    TURNED = "turned away"
    HIDDEN = "half hidden"


def flaws_of(face: Face) -> tuple[Flaw, ...]:
    """The flaws of this face for the recogniser, empty where it is seen well."""
    seen = face.quality
    found = {
        Flaw.SMALL: seen is not None and seen.span < SMALL_SPAN,
        Flaw.BLURRED: seen is not None and seen.span >= SMALL_SPAN and seen.sharpness < BLURRED,
        Flaw.DARK: seen is not None and seen.brightness < DARK,
        Flaw.NOISY: seen is not None and seen.noise > NOISY,
        Flaw.TURNED: is_turned_away(face),
    }
    flaws = tuple(flaw for flaw, is_there in found.items() if is_there)
    return flaws or ((Flaw.HIDDEN,) if face.score < SURE_DETECTION else ())


def is_turned_away(face: Detection) -> bool:
    """Whether the five points are those of a profile; a tilted head does not count."""
    left_eye, right_eye, nose = np.asarray(face.keypoints[:3], np.float64)
    across = right_eye - left_eye
    beside = abs((nose - (left_eye + right_eye) / 2) @ across)
    return bool(beside > TURNED_AWAY * (across @ across))


def quality_of(bgr: np.ndarray, keypoints: np.ndarray) -> FaceQuality:
    """Measure the face with these keypoints [5, 2] in [H, W, 3] uint8 BGR."""
    cv2 = import_cv2()
    alignment = alignment_of(keypoints)
    if not alignment.scale:
        return FaceQuality(0.0, 0.0, 0.0, 0.0)
    crop = cv2.warpAffine(
        bgr,
        alignment.matrix,
        (ALIGNED_SIDE, ALIGNED_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)[FACE_PART]
    return FaceQuality(alignment.span, _sharpness(grey), float(grey.mean()) / 255, _noise(grey))


def _sharpness(grey: np.ndarray) -> float:
    """Share of the contrast that lies in fine detail."""
    cv2 = import_cv2()
    calm = cv2.GaussianBlur(grey, (0, 0), 1.0)
    fine = calm - cv2.GaussianBlur(grey, (0, 0), 3.0)
    return float(fine.std() / max(float(grey.std()), 1.0))


def _noise(grey: np.ndarray) -> float:
    """Standard deviation of the pixels about their neighbourhood, in levels of 255.

    By the mask of Immerkaer (1996), which edges and slopes hardly enter.
    """
    cv2 = import_cv2()
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(grey, -1, mask)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(response).mean())
