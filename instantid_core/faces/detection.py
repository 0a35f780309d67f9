"""Search for faces in a picture: at several sizes, and turned where none is plainly upright."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from ..libraries import import_cv2
from ..types import Box, Detection
from .alignment import alignment_of
from .views import UPRIGHT_ROLL, VIEW_SIDE, View, view_of

DETECTION_SIZES = (640, 512, 448, 384, 320, 256, 192, 128)
"""Sizes at which the detector looks. The first is the reference's; a face that fills the picture is
too large for the detector there and is found at a smaller one."""
LARGE_SIZE = 1280
"""Size for faces too small at all of these, in pictures that are as large."""
TURNED_SIZES = (640, 320)
"""Sizes at which the detector looks at a picture turned by 90, 180 and 270 degrees."""
PADDING = 0.5
"""Border added on each side, as a fraction of the picture, when no size finds a face without it."""

CLEAR_SCORE = 0.70
"""Score of the detector below which a face may not be upright. Photographs: upright faces have 0.73
to 0.90, upside-down ones 0.51 to 0.68, with eyes and mouth taken for each other."""
ABOUT_UPRIGHT = 60.0
"""Degrees of tilt up to which a find in a turned picture can be right."""
UPRIGHT_RESIDUAL = 8.0
"""Distance of the five points to the recogniser's template, in pixels of its crop, up to which they
are those of a face. Photographs: at most 6 where upright, up to 22 where eyes are misplaced."""
SMALL = 60
"""Pixels of a face's longer side, at the size at which the detector sees it, below which its points
are inexact: a face of 20 pixels has them wrong by half the distance of the eyes."""
FILLING = 0.5
"""Share of the picture's shorter side from which on a face is a close-up."""
BETTER = 0.02
"""Gain of the score from which on a turned picture is preferred."""
WORSE = 0.10
"""Loss of the score up to which a second look is preferred, which sees the face larger."""
STRAIGHT = 8.0
"""Degrees of tilt up to which a view is not turned once more."""


class Detector(Protocol):
    """Interface of the detector; `FaceAnalyzer` implements it."""

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]: ...


class _Shown(NamedTuple):
    """A picture as the detector is shown it, and how its pixels lie in the photo."""

    pixels: np.ndarray
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """Photo pixels = (shown pixels - shift) * scale, after turning back."""
    quarter: int = 0
    """Quarter turns, counter-clockwise."""


def detect(bgr: np.ndarray, detector: Detector, min_score: float) -> tuple[Detection, ...]:
    """All faces of a picture [H, W, 3] uint8 BGR from left to right; empty without any.

    Where no face is plainly upright, the picture is searched in other orientations as well, and the
    one with the best score counts.
    """
    faces = _at_best_size(_Shown(bgr), DETECTION_SIZES[:1], detector, min_score)
    if not any(is_plainly_upright(face) for face in faces):
        faces = _at_other_sizes(bgr, detector, min_score, faces)
        faces = _best_turned(bgr, detector, min_score, faces)
    return tuple(sorted(faces, key=lambda face: face.box.centre[0]))


def is_plainly_upright(face: Detection) -> bool:
    """Whether the five points are beyond doubt those of an upright face."""
    alignment = alignment_of(face.keypoints)
    return (
        face.score >= CLEAR_SCORE
        and abs(alignment.roll) <= UPRIGHT_ROLL
        and alignment.residual <= UPRIGHT_RESIDUAL
    )


def is_small_for_detector(face: Detection, bgr: np.ndarray) -> bool:
    """Whether the face is small in the picture as the detector sees it, scaled down."""
    shrunk = min(1.0, DETECTION_SIZES[0] / max(bgr.shape[:2]))
    return _longer_side(face) * shrunk < SMALL


def second_look(bgr: np.ndarray, face: Detection, detector: Detector) -> Detection:
    """The face as it is, if it is plainly upright and large enough; or else as views of it show it,
    upright and at a size that suits the detector. Its box and points stay those of the picture."""
    is_upright = is_plainly_upright(face)
    if is_upright and not is_small_for_detector(face, bgr):
        return face
    roll = alignment_of(face.keypoints).roll
    angles = (0.0,) if is_upright else tuple(roll + turn for turn in (0, 90, 180, 270))
    seen = [found for angle in angles if (found := _seen(bgr, face.box, angle, detector))]
    best = max(seen, key=lambda found: found[1].score, default=None)
    if best is None or best[1].score < face.score - WORSE:
        return face
    view, found = _straightened(bgr, best, detector)
    return view.face_in_picture(found)


def _straightened(
    bgr: np.ndarray, best: tuple[View, Detection], detector: Detector
) -> tuple[View, Detection]:
    """A view turned by the tilt that its face still has, where that is not much worse."""
    view, found = best
    tilt = alignment_of(found.keypoints).roll
    if abs(tilt) <= STRAIGHT:
        return best
    place = view.face_in_picture(found)
    again = _seen(bgr, place.box, view.angle + tilt, detector)
    return again if again and again[1].score >= found.score - WORSE / 2 else best


def _seen(
    bgr: np.ndarray, box: Box, angle: float, detector: Detector
) -> tuple[View, Detection] | None:
    """A view and the face in its middle; None where none is seen there."""
    view = view_of(bgr, box, angle)
    faces = _faces_at(_Shown(view.pixels), VIEW_SIDE, detector, 0.0)
    middle, reach = VIEW_SIDE / 2, VIEW_SIDE / 5
    central = [
        face
        for face in faces
        if max(abs(side - middle) for side in face.box.centre) < reach
        and _is_about_upright(face.keypoints)
    ]
    best = max(central, key=lambda face: face.score, default=None)
    return (view, best) if best else None


def _at_other_sizes(
    bgr: np.ndarray, detector: Detector, min_score: float, faces: tuple[Detection, ...]
) -> tuple[Detection, ...]:
    """Faces of a picture whose faces at the reference's size are these: of a close-up that is not
    clear there, at the size with the best score, and of a picture without any, wherever one is."""
    shown = _Shown(bgr)
    if not faces or _is_unclear_close_up(faces, bgr):
        faces = _at_best_size(shown, DETECTION_SIZES[1:], detector, min_score, faces)
    if not faces and max(bgr.shape[:2]) >= LARGE_SIZE:
        faces = _at_best_size(shown, (LARGE_SIZE,), detector, min_score)
    if not faces and max(bgr.shape[:2]) > 1:
        faces = _at_best_size(_padded(bgr), DETECTION_SIZES, detector, min_score)
    return faces


def _at_best_size(
    shown: _Shown,
    sizes: tuple[int, ...],
    detector: Detector,
    min_score: float,
    best: tuple[Detection, ...] = (),
) -> tuple[Detection, ...]:
    """The faces given, or those of the size with a higher best score."""
    for size in _usable_sizes(shown.pixels, sizes):
        faces = _faces_at(shown, size, detector, min_score)
        if _best_score(faces) > _best_score(best):
            best = faces
    return best


def _best_turned(
    bgr: np.ndarray, detector: Detector, min_score: float, upright: tuple[Detection, ...]
) -> tuple[Detection, ...]:
    """The upright faces, or those of the turned picture whose best score is higher."""
    best, small = upright, _overview(bgr)
    for quarter in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(small.pixels, quarter))
        shown = _Shown(turned, small.scale, small.shift, quarter)
        for size in _usable_sizes(turned, TURNED_SIZES):
            faces = _faces_at(shown, size, detector, min_score)
            if _best_score(faces) > _best_score(best) + BETTER:
                best = faces
    return best


def _overview(bgr: np.ndarray) -> _Shown:
    """The picture at no more than LARGE_SIZE."""
    height, width = bgr.shape[:2]
    scale = max(height, width) / LARGE_SIZE
    if scale <= 1:
        return _Shown(bgr)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    cv2 = import_cv2()
    return _Shown(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), scale)


def _padded(bgr: np.ndarray) -> _Shown:
    """The picture with a black border."""
    small = _overview(bgr)
    top, left = (int(side * PADDING) for side in small.pixels.shape[:2])
    pixels = np.pad(small.pixels, ((top, top), (left, left), (0, 0)))
    return _Shown(pixels, small.scale, (left, top))


def _usable_sizes(picture: np.ndarray, sizes: tuple[int, ...]) -> Iterator[int]:
    """Leave out sizes at which a very narrow picture would shrink to nothing."""
    short, long = sorted(picture.shape[:2])
    return (size for size in sizes if int(size * short / long) >= 1)


def _faces_at(
    shown: _Shown, size: int, detector: Detector, min_score: float
) -> tuple[Detection, ...]:
    boxes, keypoints = detector.detect(shown.pixels, size)
    return tuple(_in_photo(shown, boxes, keypoints, min_score))


def _in_photo(
    shown: _Shown, boxes: np.ndarray, keypoints: np.ndarray, min_score: float
) -> Iterable[Detection]:
    for (*corners, score), points in zip(boxes, keypoints, strict=True):
        if score >= min_score and (not shown.quarter or _is_about_upright(points)):
            edges = _turned_back(shown, np.reshape(corners, (2, 2)).astype(float))
            (x0, y0), (x1, y1) = np.sort(edges, axis=0).tolist()
            yield Detection(Box(x0, y0, x1, y1), float(score), _turned_back(shown, points))


def _turned_back(shown: _Shown, points: np.ndarray) -> np.ndarray:
    """[..., 2] pixels of what was shown -> pixels of the photo, of the same type."""
    height, width = shown.pixels.shape[:2]
    x, y = points[..., 0], points[..., 1]
    if shown.quarter == 1:
        points = np.stack([height - 1 - y, x], axis=-1)
    elif shown.quarter == 2:
        points = np.stack([width - 1 - x, height - 1 - y], axis=-1)
    elif shown.quarter == 3:
        points = np.stack([y, width - 1 - x], axis=-1)
    return (points - np.array(shown.shift, points.dtype)) * points.dtype.type(shown.scale)


def _is_about_upright(points: np.ndarray) -> bool:
    """Whether a face is upright enough for this quarter turn; another turn is better for a face
    that is tilted further."""
    return abs(alignment_of(points).roll) <= ABOUT_UPRIGHT


def _is_unclear_close_up(faces: tuple[Detection, ...], picture: np.ndarray) -> bool:
    largest = max(faces, key=lambda face: face.box.area)
    fills = _longer_side(largest) >= FILLING * min(picture.shape[:2])
    return fills and largest.score < CLEAR_SCORE


def _longer_side(face: Detection) -> float:
    return max(face.box.width, face.box.height)


def _best_score(faces: tuple[Detection, ...]) -> float:
    return max((face.score for face in faces), default=0.0)
