"""Advice on a run that went well."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.faces.advice import (
    about_identity,
    about_numbers,
    about_pictures,
    about_recogniser,
    about_size,
)
from instantid_core.faces.alignment import TEMPLATE
from instantid_core.faces.analysis import Analysis
from instantid_core.faces.quality import DARK, is_turned_away, quality_of
from instantid_core.keypoints.poses import FacePlacement, PoseEdit, apply_edit, pose
from instantid_core.libraries import import_cv2
from instantid_core.types import (
    Box,
    ColourOrder,
    Detection,
    Extent,
    Face,
    FaceQuality,
    Faces,
    FrameFaces,
    IdentityEmbedding,
    Recogniser,
)

PICTURE = Extent(640, 480)
FRONT = np.float32([[-20, 0], [20, 0], [0, 20], [-15, 40], [15, 40]])
PROFILE = FRONT + np.float32([[0, 0], [-30, 0], [25, 0], [0, 0], [-20, 0]])


GOOD = FaceQuality(span=150, sharpness=0.3, brightness=0.5, noise=4)


def face(
    number: int = 0,
    points: np.ndarray = FRONT,
    score: float = 0.9,
    quality: FaceQuality | None = GOOD,
) -> Face:
    points = points + np.float32([200, 200])
    box = Box(100, 100, 250, 250)
    return Face(box, score, points, np.zeros(512), number=number, quality=quality)


def faces(*frames: tuple[Detection, ...]) -> Faces:
    return Faces(tuple(FrameFaces(PICTURE, frame) for frame in frames), RECOGNISER)


def analysis(*frames: tuple[Face, ...]) -> Analysis:
    return Analysis(faces(*frames), frames)


def test_good_faces_need_no_advice() -> None:
    assert about_identity(faces((face(),))) == ()
    assert about_identity(faces((face(quality=None),))) == (), "a face that was not measured"


@pytest.mark.parametrize(
    ("flawed", "words"),
    [
        (face(1, quality=GOOD._replace(span=48)), "Face 2 is small: .* 48 x 48 of them"),
        (face(quality=GOOD._replace(sharpness=0.05)), "Face 1 is blurred, .* a sharper photo"),
        (face(quality=GOOD._replace(brightness=0.08)), "Face 1 is too dark .* more light"),
        (face(quality=GOOD._replace(noise=30)), "Face 1 is noisy"),
        (face(points=PROFILE), "Face 1 is turned far to the side"),
        (face(score=0.55), r"Face 1 is seen badly \(detection score 0\.55\): .* half hidden"),
    ],
)
def test_a_face_that_is_hardly_seen_is_named_with_the_reason(flawed: Face, words: str) -> None:
    (sentence,) = about_identity(faces((flawed,)))
    assert re.match(words, sentence)


@pytest.mark.parametrize("span", [56, 82, 111])
def test_faces_that_keep_their_likeness_are_not_called_small(span: float) -> None:
    assert about_identity(faces((face(quality=GOOD._replace(span=span)),))) == ()


def test_poses_and_swap_targets_have_no_identity_to_advise_on() -> None:
    pose = Detection(Box(0, 0, 9, 9), 0.4, PROFILE)
    assert about_identity(faces((pose,))) == ()
    assert about_pictures(analysis((face(points=PROFILE),))) == ()


def test_many_small_faces_make_one_sentence() -> None:
    small = face(2, quality=GOOD._replace(span=40))
    (sentence,) = about_identity(faces((face(),), (small,), (small,)))
    assert sentence.startswith("Face 3 of image 2 (and 1 more) is small")


def test_pictures_that_were_skipped_are_counted_and_numbered() -> None:
    seen = analysis((), (face(),), ())
    (sentence,) = about_pictures(seen)
    assert sentence.startswith("2 of 3 pictures had no face to choose and were skipped: 1, 3. Low")
    (sentence,) = about_pictures(seen, has_inputs=False)
    assert sentence.endswith("skipped: 1, 3."), "names no input that the node has not"


def test_a_long_list_of_skipped_pictures_is_cut() -> None:
    (sentence,) = about_pictures(analysis(*[()] * 20))
    assert "skipped: 1, 2, 3, 4, 5, 6, 7, 8, .... " in sentence


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


def photo(level: float = 0.5) -> np.ndarray:
    """A pattern of sharp edges, [448, 448, 3]."""
    y, x = np.mgrid[:448, :448] // 112
    pattern = 2 * ((x + y) % 2) - 1
    grey = np.clip(255 * level * (1 + 0.4 * pattern), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def test_quality_is_measured_where_the_recogniser_looks() -> None:
    points = TEMPLATE * 4
    bgr = photo()
    seen = quality_of(bgr, points)
    assert seen.span == pytest.approx(448)
    assert seen.brightness == pytest.approx(0.5, abs=0.05)
    cv2 = import_cv2()
    assert quality_of(cv2.GaussianBlur(bgr, (0, 0), 28), points).sharpness < 0.6 * seen.sharpness
    assert quality_of(photo(0.07), points).brightness < DARK
    drawn = np.random.default_rng(1).normal(0, 60, bgr.shape)
    noisy = np.clip(bgr + drawn, 0, 255).astype(np.uint8)
    assert quality_of(noisy, points).noise > seen.noise + 10
    assert quality_of(bgr, np.zeros((5, 2))) == FaceQuality(0, 0, 0, 0)


def test_only_one_size_is_prone_to_watermarks() -> None:
    assert "1024 x 1024" in (about_size(Extent(1024, 1024)) or "")
    assert about_size(Extent(1016, 1016)) is None
    assert about_size(Extent(1024, 1016)) is None


@pytest.mark.parametrize(
    ("colours", "width", "reported"),
    [
        ("BGR", 2048, ""),
        ("RGB", 768, ""),
        ("BGR", 64, ""),
        ("RGB", 64, ""),
        ("BGR", 768, "on SDXL, and the adapter is the one for SD 1.5"),
        ("RGB", 2048, "on SD 1.5, and the adapter is the one for SDXL"),
    ],
)
def test_identities_read_for_the_other_base_model(colours: str, width: int, reported: str) -> None:
    """Adapters of other widths are nobody's: neither kind of embedding is known to be right."""
    recogniser = Recogniser("ab" * 32, ColourOrder(colours))
    somebody = IdentityEmbedding(torch.ones(1, 1, 512), recogniser)
    said = about_recogniser(somebody, width) or ""
    assert (reported in said) if reported else not said
    nobody = IdentityEmbedding(torch.ones(0, 1, 512), recogniser)
    assert about_recogniser(nobody, width) is None


def test_a_list_of_numbers_that_is_none_is_quoted() -> None:
    assert "found 'left, right'. The face of index = 2 was" in about_numbers("left, right", 2)
