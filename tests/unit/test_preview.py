"""The pictures that show what face analysis saw, and the mask of the chosen faces."""

from __future__ import annotations

import numpy as np
import torch
from support.recognisers import RECOGNISER

from instantid_core.faces.analysis import Analysis
from instantid_core.faces.preview import CHOSEN, PASSED_OVER, annotated, box_masks
from instantid_core.types import Box, Detection, Extent, Face, Faces, FrameFaces

PICTURE = Extent(320, 240)


def detection(x: float, y: float, half: float = 30) -> Detection:
    points = np.float32([[x - 9, y], [x + 9, y], [x, y + 6], [x - 7, y + 15], [x + 7, y + 15]])
    return Detection(Box(x - half, y - half, x + half, y + half), 0.9, points)


def chosen(found: Detection) -> Face:
    return Face(found.box, found.score, found.keypoints, np.zeros(512, np.float32))


LEFT, RIGHT = detection(80, 120), detection(240, 120)


def analysis(*frames: tuple[tuple[Detection, ...], tuple[Detection, ...]]) -> Analysis:
    """Per frame: what was found, and which of it was chosen."""
    picked = (FrameFaces(PICTURE, tuple(map(chosen, chose))) for _, chose in frames)
    return Analysis(Faces(tuple(picked), RECOGNISER), tuple(found for found, _ in frames))


def blank(count: int = 1) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((PICTURE.height, PICTURE.width, 3), np.uint8) for _ in range(count))


def test_chosen_faces_are_boxed_in_their_own_colour() -> None:
    (picture,) = annotated(blank(), analysis(((LEFT, RIGHT), (RIGHT,))))
    levels = (picture * 255).round().byte().numpy()
    assert tuple(levels[150, 80]) == PASSED_OVER
    assert tuple(levels[150, 240]) == CHOSEN


def test_annotating_paints_a_copy() -> None:
    frames = blank()
    pictures = annotated(frames, analysis(((LEFT,), (LEFT,))))
    assert pictures.any()
    assert not frames[0].any()
    assert (tuple(pictures.shape), pictures.dtype) == ((1, 240, 320, 3), torch.float32)


def test_a_frame_without_faces_stays_as_it_is() -> None:
    pictures = annotated(blank(2), analysis(((), ()), ((LEFT,), ())))
    assert not pictures[0].any()
    assert pictures[1].any()


def test_masks_fill_the_boxes_of_chosen_faces_only() -> None:
    masks = box_masks(analysis(((LEFT, RIGHT), (RIGHT,)), ((LEFT,), ())))
    expected = torch.zeros(2, 240, 320)
    expected[0, 90:150, 210:270] = 1
    assert torch.equal(masks, expected)


def test_masks_join_several_faces_and_end_at_the_edges() -> None:
    beyond, corner = detection(10, 12), detection(310, 230, half=40)
    (mask,) = box_masks(analysis(((beyond, corner), (beyond, corner))))
    expected = torch.zeros(240, 320)
    expected[:42, :40] = 1
    expected[190:, 270:] = 1
    assert torch.equal(mask, expected)


def test_a_box_outside_the_picture_leaves_no_mark() -> None:
    outside = detection(-200, -200)
    assert not box_masks(analysis(((outside,), (outside,)))).any()
