"""Keypoint pictures against an independent drawing from ellipse equations."""

from __future__ import annotations

import numpy as np
import pytest

from instantid_core.keypoints import drawing
from instantid_core.types import Box, Detection, Extent, FrameFaces
from tools.small_world import painter

COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8)
DISC_SLACK, STICK_SLACK = 0.75, 1.5
"""Pixels near an outline that a rounded outline may or may not include."""


def ellipse(
    extent: Extent, middle: np.ndarray, axes: tuple[float, float], degrees: int
) -> np.ndarray:
    """Implicit ellipse [height, width]: below 1 inside, above 1 outside."""
    across, down = np.meshgrid(np.arange(extent.width), np.arange(extent.height))
    x, y = across - middle[0], down - middle[1]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return ((x * cosine + y * sine) / axes[0]) ** 2 + ((y * cosine - x * sine) / axes[1]) ** 2


def paint(
    picture: np.ndarray, open_question: np.ndarray, shape: tuple, slack: float, colour: np.ndarray
) -> None:
    """Fill an ellipse and note which pixels its rounded outline may or may not include."""
    middle, (long, short), degrees = shape
    extent = Extent(picture.shape[1], picture.shape[0])
    surely = ellipse(extent, middle, (max(long - slack, 0.1), short - slack), degrees) <= 1
    perhaps = ellipse(extent, middle, (long + slack, short + slack), degrees) <= 1
    picture[perhaps] = colour
    open_question |= perhaps & ~surely
    open_question &= ~surely


def by_distance(faces: list[np.ndarray], extent: Extent) -> tuple[np.ndarray, np.ndarray]:
    """The same picture from ellipse equations, and the pixels that rounding leaves open."""
    picture = np.zeros((extent.height, extent.width, 3), np.uint8)
    open_question = np.zeros(picture.shape[:2], bool)
    for points in faces:
        for outer in (0, 1, 3, 4):
            reach = points[outer] - points[2]
            middle = ((points[outer] + points[2]) / 2).astype(int)
            half = int(np.linalg.norm(reach) / 2)
            turn = int(np.degrees(np.arctan2(reach[1], reach[0])))
            colour = (COLOURS[outer] * 0.6).astype(np.uint8)
            paint(picture, open_question, (middle, (half, 4), turn), STICK_SLACK, colour)
    for points in faces:
        for point, colour in zip(points.astype(int), COLOURS, strict=True):
            paint(picture, open_question, (point, (10, 10), 0), DISC_SLACK, colour)
    return picture, open_question


@pytest.mark.parametrize("seed", range(6))
def test_an_independent_drawing_agrees_up_to_rounded_outlines(seed: int) -> None:
    random = np.random.default_rng(seed)
    extent = Extent(320, 256)
    faces = [
        painter.keypoints_for(
            tuple(random.uniform(0, 256, 2)), random.uniform(60, 400), *random.uniform(-60, 60, 2)
        ).astype(np.float32)
        for _ in range(1 + seed % 3)
    ]
    detections = tuple(Detection(Box(0, 0, 1, 1), 0.9, points) for points in faces)
    picture = drawing.draw_frame(FrameFaces(extent, detections), extent, "letterbox")
    expected, open_question = by_distance([points.astype(np.float64) for points in faces], extent)
    assert open_question.mean() < 0.08
    assert np.array_equal(picture[~open_question], expected[~open_question])
