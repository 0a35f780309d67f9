"""What people are told of a run that went well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.faces.advice import (
    about_faces,
    about_numbers,
    about_recogniser,
    about_size,
    is_turned_away,
)
from instantid_core.faces.analysis import Analysis
from instantid_core.keypoints.poses import FacePlacement, PoseEdit, apply_edit, pose
from instantid_core.types import (
    Box,
    ColourOrder,
    Detection,
    Extent,
    Face,
    Faces,
    FrameFaces,
    IdentityEmbedding,
    Recogniser,
)

PICTURE = Extent(640, 480)
FRONT = np.float32([[-20, 0], [20, 0], [0, 20], [-15, 40], [15, 40]])
PROFILE = FRONT + np.float32([[0, 0], [-30, 0], [25, 0], [0, 0], [-20, 0]])


def face(x: float, side: float, points: np.ndarray = FRONT) -> Detection:
    where = np.float32([x, 200])
    return Detection(Box(x - side / 2, 100, x + side / 2, 100 + side), 0.9, points + where)


def analysis(*frames: tuple[tuple[Detection, ...], tuple[Detection, ...]]) -> Analysis:
    """Per frame: what was found, and which of it was chosen."""
    picked = (
        FrameFaces(PICTURE, tuple(Face(f.box, f.score, f.keypoints, np.zeros(512)) for f in chosen))
        for _, chosen in frames
    )
    return Analysis(Faces(tuple(picked), RECOGNISER), tuple(found for found, _ in frames))


def test_good_faces_need_no_advice() -> None:
    good = face(200, 112)
    assert about_faces(analysis(((good,), (good,)))) == ()


def test_a_small_face_is_named_with_its_size_and_the_reason() -> None:
    large, small = face(100, 200), face(400, 60)
    (sentence,) = about_faces(analysis(((large, small), (small,))))
    assert sentence.startswith("Face 1 is small (60 x 60 pixels).")
    assert "112 x 112" in sentence
    assert "larger or closer photo" in sentence


def test_faces_that_were_not_chosen_are_nobodys_concern() -> None:
    large, small = face(100, 200), face(400, 60, PROFILE)
    assert about_faces(analysis(((large, small), (large,)))) == ()


def test_many_small_faces_make_one_sentence() -> None:
    frames = [((one,), (one,)) for one in (face(100, 200), face(100, 50), face(100, 40))]
    (sentence,) = about_faces(analysis(*frames))
    assert sentence.startswith("Face 0 of image 2 (and 1 more) is small (50 x 50 pixels).")


def test_pictures_that_were_skipped_are_counted_and_numbered() -> None:
    good = face(200, 150)
    (sentence,) = about_faces(analysis(((), ()), ((good,), (good,)), ((good,), ())))
    assert sentence.startswith("2 of 3 pictures had no face to choose and were skipped: 1, 3.")


def test_a_long_list_of_skipped_pictures_is_cut() -> None:
    (sentence,) = about_faces(analysis(*[((), ())] * 20))
    assert "skipped: 1, 2, 3, 4, 5, 6, 7, 8, .... " in sentence


def test_a_profile_is_told() -> None:
    turned = face(200, 150, PROFILE)
    (sentence,) = about_faces(analysis(((turned,), (turned,))))
    assert sentence.startswith("Face 0 is turned far to the side.")


@pytest.mark.parametrize("roll", [0, 35, -90, 170])
@pytest.mark.parametrize(
    ("view", "turned"),
    [
        *(("front", False), ("quarter_left", False), ("up", False), ("down", False)),
        *(("profile_left", True), ("profile_right", True)),
    ],
)
def test_turned_heads_and_tilted_ones(view: str, turned: bool, roll: float) -> None:
    (one,) = apply_edit(pose(view, FacePlacement(), PICTURE), PoseEdit(rotate=roll)).all
    assert is_turned_away(one) is turned


def test_eyes_in_one_point_are_no_profile_that_can_be_measured() -> None:
    assert not is_turned_away(Detection(Box(0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32)))


def test_only_one_size_is_prone_to_watermarks() -> None:
    assert "1024 x 1024" in (about_size(Extent(1024, 1024)) or "")
    assert about_size(Extent(1016, 1016)) is None
    assert about_size(Extent(1024, 1016)) is None


@pytest.mark.parametrize(
    ("colours", "width", "told"),
    [
        ("BGR", 2048, ""),
        ("RGB", 768, ""),
        ("BGR", 64, ""),
        ("RGB", 64, ""),
        ("BGR", 768, "on SDXL, and the adapter is the one for SD 1.5"),
        ("RGB", 2048, "on SD 1.5, and the adapter is the one for SDXL"),
    ],
)
def test_identities_read_for_the_other_base_model(colours: str, width: int, told: str) -> None:
    """Adapters of other widths are nobody's: neither kind of embedding is known to be right."""
    recogniser = Recogniser("ab" * 32, ColourOrder(colours))
    somebody = IdentityEmbedding(torch.ones(1, 1, 512), recogniser)
    said = about_recogniser(somebody, width) or ""
    assert (told in said) if told else not said
    nobody = IdentityEmbedding(torch.ones(0, 1, 512), recogniser)
    assert about_recogniser(nobody, width) is None


def test_a_list_of_numbers_that_is_none_is_quoted() -> None:
    assert "found 'left, right'. Face 2," in about_numbers("left, right", 2)
