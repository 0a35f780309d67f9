"""Faces that are turned, tilted or small for the detector: looked at again, and where they lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from instantid_core.faces import detection
from instantid_core.faces.alignment import TEMPLATE, alignment_of
from instantid_core.faces.analysis import Analysis, analyse
from instantid_core.faces.detection import (
    LARGE_SIZE,
    UPRIGHT_RESIDUAL,
    VIEW_SIDE,
    is_plainly_upright,
    is_small_for_detector,
)
from instantid_core.faces.selection import Selection
from instantid_core.faces.views import CONTEXT, view_of
from instantid_core.libraries import import_cv2
from instantid_core.types import Box, Detection
from tools.small_world import painter

EYES_FOR_MOUTH = [4, 3, 2, 1, 0]
"""Order of the points of an upside-down face that is taken for an upright one."""


class OnlyUpright:
    """A detector that is as blind to turned faces as a real one, and counts what it looks at.

    Upside-down faces it finds with eyes and mouth exchanged and a low score, tilted ones never.
    """

    def __init__(self, models: Any, blind_from: float = 50) -> None:
        self.models, self.recogniser = models, models.recogniser
        self.blind_from = blind_from
        self.sizes: list[int] = []

    def detect(self, bgr: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(size)
        boxes, keypoints = self.models.detect(bgr, size)
        rolls = np.array([abs(alignment_of(points).roll) for points in keypoints])
        fooled = rolls > 150
        boxes[fooled, 4] = np.minimum(boxes[fooled, 4], 0.6)
        keypoints[fooled] = keypoints[fooled][:, EYES_FOR_MOUTH]
        kept = (rolls < self.blind_from) | fooled
        return boxes[kept], keypoints[kept]

    def embed(self, bgr: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        return self.models.embed(bgr, keypoints)

    def landmarks(self, bgr: np.ndarray, box: Box) -> np.ndarray | None:
        return self.models.landmarks(bgr, box)


def look(models: Any, rgb: np.ndarray) -> Analysis:
    return analyse([rgb], models, Selection(on_no_face="skip"), 0.5)


def painted(roll: float, width: int = 640, height: int = 560, size: float = 200) -> np.ndarray:
    rgb = painter.canvas(width, height)
    painter.paint_face(rgb, (300, 260), size, roll=roll, yaw=0, identity=3)
    return rgb


def points_of(roll: float, scale: float = 2.0) -> np.ndarray:
    """The template, turned clockwise and placed in a picture."""
    angle = math.radians(roll)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (TEMPLATE @ turn.T * scale + (300, 200)).astype(np.float32)


# --- geometry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("roll", [0, 30, -45, 90, 179, -120])
def test_alignment_finds_scale_and_roll(roll: float) -> None:
    found = alignment_of(points_of(roll))
    assert found.scale == pytest.approx(2)
    assert found.roll == pytest.approx(roll, abs=1e-4)
    assert found.residual == pytest.approx(0, abs=1e-4)
    assert found.span == pytest.approx(224)
    placed = TEMPLATE @ found.matrix[:, :2].T + found.matrix[:, 2]
    assert np.allclose(placed, points_of(roll), atol=1e-4)


def test_mouth_taken_for_eyes_leaves_a_residual() -> None:
    assert alignment_of(points_of(0)[[3, 4, 2, 0, 1]]).residual > UPRIGHT_RESIDUAL


def test_points_in_one_place_have_no_scale() -> None:
    nothing = alignment_of(np.full((5, 2), 7.0))
    assert (nothing.scale, nothing.residual) == (0, math.inf)


@pytest.mark.parametrize(("roll", "near"), [(0, True), (-59, True), (61, False), (180, False)])
def test_another_quarter_is_better_for_a_face_that_is_tilted_further(
    roll: float, near: bool
) -> None:
    """A detector that finds faces at every angle finds one in each turned picture."""
    assert detection._is_about_upright(points_of(roll)) is near


@pytest.mark.parametrize(
    ("roll", "score", "upright"),
    [(0, 0.73, True), (27, 0.8, True), (-27, 0.8, True), (29, 0.8, False), (0, 0.69, False)],
)
def test_plainly_upright_is_a_matter_of_points_and_score(
    roll: float, score: float, upright: bool
) -> None:
    assert is_plainly_upright(Detection(Box(0, 0, 9, 9), score, points_of(roll))) is upright
    exchanged = Detection(Box(0, 0, 9, 9), score, points_of(roll)[[3, 4, 2, 0, 1]])
    assert not is_plainly_upright(exchanged)


@pytest.mark.parametrize(
    ("side", "long", "small"),
    [(60, 640, False), (59, 640, True), (59, 64, True), (300, 6400, True)],
)
def test_small_is_what_the_detector_sees(side: int, long: int, small: bool) -> None:
    face = Detection(Box(0, 0, side / 2, side), 0.9, points_of(0))
    assert is_small_for_detector(face, np.zeros((long, 9, 3), np.uint8)) is small


@pytest.mark.parametrize("angle", [0, 90, -60, 133])
@pytest.mark.parametrize("side", [40, 130, 700])
def test_a_view_shows_the_face_upright_and_leads_back(angle: float, side: int) -> None:
    """A dot off the middle lands where the matrix says, at any reduction."""
    rgb = np.zeros((900, 1000, 3), np.uint8)
    at = np.array([480.0, 430.0])
    middle, radius = (470 + side / 4, 430 + side / 8), max(3, side // 16)
    import_cv2().circle(rgb, tuple(map(int, at)), radius, (255, 255, 255), -1)
    view = view_of(
        rgb, Box(*(x - side / 2 for x in middle), *(x + side / 2 for x in middle)), angle
    )
    rows, columns = np.nonzero(view.pixels[..., 0] > 127)
    back = view.to_picture(np.array([columns.mean(), rows.mean()]))
    assert np.abs(back - at).max() < 0.6 + side / 200


@pytest.mark.parametrize("angle", [0, 90, 180, -90, 45])
def test_boxes_come_back_around_the_face(angle: float) -> None:
    view = view_of(np.zeros((800, 800, 3), np.uint8), Box(350, 300, 450, 500), angle)
    scale = CONTEXT * 200 / VIEW_SIDE
    box = view.box_in_view(Detection(Box(350, 300, 450, 500), 1.0, points_of(0)))
    found = view.face_in_picture(Detection(box, 0.9, points_of(0))).box
    wide, high = (100, 200) if angle % 180 == 0 else (200, 100)
    if angle == 45:
        wide = high = math.hypot(100, 200) / math.sqrt(2)
    assert (found.width, found.height) == (pytest.approx(wide), pytest.approx(high))
    assert np.abs(np.array(found.centre) - (400, 400)).max() < scale


# --- turned and tilted ----------------------------------------------------------------------------


@pytest.mark.parametrize("roll", [90, 180, -90, 45, -60, 75, 135])
def test_a_turned_face_is_read_as_the_upright_one(analyzer: Any, roll: float) -> None:
    blind = OnlyUpright(analyzer, blind_from=50)
    upright, turned = (look(blind, painted(each)).faces.all[0] for each in (0, roll))
    where = painter.keypoints_for((300, 260), 200, roll=roll)
    assert np.abs(turned.keypoints - where).max() < 0.03 * 200, "in the photo's own frame"
    x, y = turned.box.centre
    assert abs(x - 300) + abs(y - 260) < 40
    cosine = np.dot(upright.embedding, turned.embedding)
    cosine /= np.linalg.norm(upright.embedding) * np.linalg.norm(turned.embedding)
    assert cosine > 0.95


@pytest.mark.parametrize("roll", [0, 15, -25])
def test_upright_faces_get_one_look(analyzer: Any, roll: float) -> None:
    counted = OnlyUpright(analyzer)
    look(counted, painted(roll))
    assert counted.sizes == [640]


def test_nobody_is_found_even_when_turned(analyzer: Any) -> None:
    with pytest.raises(Exception, match=r"turned by 90, 180 and 270 degrees, .*set on_no_face"):
        analyse([painter.canvas(200, 200)], analyzer, Selection(), 0.5)
    with pytest.raises(Exception, match=r"larger and not hidden\.$"):
        analyse([painter.canvas(200, 200)], analyzer, Selection(has_inputs=False), 0.5)


@pytest.mark.parametrize(("side", "larger"), [(1200, False), (1300, True)])
def test_a_large_picture_without_faces_is_looked_at_larger(
    analyzer: Any, side: int, larger: bool
) -> None:
    counted = OnlyUpright(analyzer)
    look(counted, painter.canvas(side, 400))
    assert (LARGE_SIZE in counted.sizes) is larger


# --- small for the detector -----------------------------------------------------------------------


def test_a_face_in_a_panorama_is_read_from_a_view(analyzer: Any) -> None:
    """It has 33 pixels where the detector looks at the whole."""
    wide = painted(0, 3900, 560)
    counted = OnlyUpright(analyzer)
    (face,) = look(counted, wide).faces.all
    assert counted.sizes == [640, VIEW_SIDE]
    where = painter.keypoints_for((300, 260), 200)
    assert np.abs(face.keypoints - where).max() < 0.02 * 200
