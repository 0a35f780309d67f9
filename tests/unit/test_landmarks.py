"""The hint of InstantID for SD 1.5, point by point."""

from __future__ import annotations

import numpy as np
import pytest

from instantid_core.keypoints import drawing, landmarks
from instantid_core.types import Box, Detection, Extent, Faces, FrameFaces

SIDE = 240
POINTS = np.array([[80, 90], [160, 90], [120, 130], [90, 170], [150, 170]], np.float32)
GRID = np.array([[12 + 20 * (i % 11), 12 + 20 * (i // 11)] for i in range(106)], np.float32)
COLOURS = (
    [(0, 255, 255)] * 33
    + [(255, 0, 0)] * 19
    + [(255, 255, 0)] * 20
    + [(0, 0, 255)] * 15
    + [(0, 255, 0)] * 19
)
"""By the author's table of face parts, written out."""


def faces(marks: np.ndarray | None) -> Faces:
    face = Detection(Box(60, 60, 180, 200), 1.0, POINTS, landmarks=marks)
    return Faces((FrameFaces(Extent(SIDE, SIDE), (face,)),), "")


def drawn(marks: np.ndarray | None, side: int = SIDE) -> np.ndarray:
    picture = landmarks.draw(faces(marks), Extent(side, side), "letterbox")[0].numpy()
    return np.round(picture * 255).astype(int)


def test_landmarks_have_the_colours_of_their_parts():
    picture = drawn(GRID)
    for (x, y), colour in zip(GRID.astype(int), COLOURS, strict=True):
        assert tuple(picture[y, x]) == colour
        assert tuple(picture[y, x + 3]) == colour, "a disc of radius 3"


def test_keypoints_below_are_dimmed():
    plain = drawing.draw(faces(None), Extent(SIDE, SIDE))[0].numpy()
    dimmed = (np.round(plain * 255) * 0.6).astype(int)
    assert np.array_equal(drawn(None), dimmed)
    assert tuple(drawn(None)[90, 80]) == (153, 0, 0)


def test_landmarks_go_with_the_picture():
    half = drawn(GRID, SIDE // 2)
    for (x, y), colour in list(zip(GRID / 2, COLOURS, strict=True))[-4:]:
        assert tuple(half[int(y), int(x)]) == colour


@pytest.mark.parametrize(("marks", "missing"), [(None, 1), (GRID, 0)])
def test_faces_without_are_counted(marks, missing):
    assert landmarks.without_landmarks(faces(marks)) == missing
