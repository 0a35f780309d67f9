"""What the front end's face picker gets to know."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.recognisers import RECOGNISER

from instantid_core.faces.analysis import Analysis
from instantid_core.faces.report import LONGEST_SIDE, face_report, thumbnails
from instantid_core.types import Box, Detection, Extent, Face, Faces, FrameFaces

PICTURE = Extent(400, 200)


def detection(box: Box, score: float = 0.98) -> Detection:
    return Detection(box, score, np.zeros((5, 2), np.float32))


def report(found: tuple[Detection, ...], chosen: tuple[Detection, ...] = ()) -> dict:
    faces = tuple(Face(f.box, f.score, f.keypoints, np.zeros(512)) for f in chosen)
    seen = Analysis(Faces((FrameFaces(PICTURE, faces),), RECOGNISER), (found,))
    (frame,) = face_report(seen)
    return frame


def test_faces_are_numbered_from_the_left_and_the_chosen_one_is_marked() -> None:
    left, right = detection(Box(40, 20, 80, 100)), detection(Box(200, 50, 300, 140), 0.75)
    frame = report((left, right), (right,))
    assert (frame["width"], frame["height"]) == PICTURE
    assert frame["faces"] == [
        {"number": 0, "box": [0.1, 0.1, 0.2, 0.5], "score": 0.98, "size": 40, "chosen": False},
        {"number": 1, "box": [0.5, 0.25, 0.75, 0.7], "score": 0.75, "size": 90, "chosen": True},
    ]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1e30])
def test_what_is_not_a_number_becomes_json_all_the_same(odd: float) -> None:
    frame = report((detection(Box(odd, 0, 50, odd), odd),))
    assert json.loads(json.dumps(frame, allow_nan=False)) == frame


def test_a_picture_without_faces_has_an_empty_list() -> None:
    assert report(())["faces"] == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2000, 1000), (768, 384)), ((90, 3000), (23, 768)), ((30, 20), (30, 20))],
)
def test_thumbnails_keep_the_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    width, height = size
    (small,) = thumbnails((np.zeros((height, width, 3), np.uint8),))
    assert small.shape == (expected[1], expected[0], 3)
    assert max(small.shape) <= LONGEST_SIDE
