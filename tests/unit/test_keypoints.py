"""Keypoint pictures: where the points land, and the style that IdentityNet was trained on.

The figures are those of InstantID's drawing: points of radius 10, sticks of half width 4 at 60 % of
the colour, whatever the size of the picture.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.errors import SettingError
from instantid_core.keypoints import drawing
from instantid_core.keypoints.geometry import FITS, placement
from instantid_core.types import Box, Extent, Face, Faces, FrameFaces, KeypointStyle
from tools.small_world import painter

HINT = Extent(1016, 1016)
POINT_COLOURS = np.array(
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8
)
DIAMETER = 2 * 10 + 1
"""Lit pixels across a point: 10 on each side of the middle one."""


def face(points: np.ndarray) -> Face:
    points = np.asarray(points, np.float32)
    return Face(Box(0, 0, 1, 1), 0.9, points, np.zeros(512, np.float32))


def frame(extent: Extent, *faces: np.ndarray) -> FrameFaces:
    return FrameFaces(extent, tuple(face(points) for points in faces))


def centred(extent: Extent, share: float = 0.5) -> np.ndarray:
    """[5, 2] keypoints of a face in the middle that takes `share` of the shorter side."""
    return painter.keypoints_for((extent.width / 2, extent.height / 2), share * min(extent))


def discs(picture: np.ndarray) -> list[np.ndarray]:
    """[n, 2] pixels (x, y) in the full colour of each keypoint."""
    return [np.argwhere((picture == colour).all(axis=-1))[:, ::-1] for colour in POINT_COLOURS]


def spans(pixels: np.ndarray) -> list[int]:
    """Pixels from end to end, across and down."""
    return (pixels.max(axis=0) - pixels.min(axis=0) + 1).tolist()


# --- where the points land ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fit", "corner", "opposite"),
    [
        ("letterbox", (0, 254), (1016, 762)),
        ("crop", (-508, 0), (1524, 1016)),
        ("stretch", (0, 0), (1016, 1016)),
    ],
)
def test_placement_of_a_wide_photo(
    fit: str, corner: tuple[float, float], opposite: tuple[float, float]
) -> None:
    place = placement(Extent(2000, 1000), HINT, fit)
    assert place.apply(np.array([[0, 0], [2000, 1000]])).tolist() == [list(corner), list(opposite)]


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_of_the_same_size_stays_where_it_is(fit: str) -> None:
    points = np.array([[0.25, 7.5], [831.0, 12.0]])
    place = placement(Extent(832, 1216), Extent(832, 1216), fit)
    assert np.array_equal(place.apply(points), points)


@pytest.mark.parametrize("fit", ["letterbox", "crop"])
@pytest.mark.parametrize("target", [HINT, Extent(832, 1216), Extent(64, 2048)], ids=str)
def test_proportions_and_middle_are_kept(fit: str, target: Extent) -> None:
    source = Extent(640, 480)
    place = placement(source, target, fit)
    middle = np.array([[source.width / 2, source.height / 2]])
    assert place.scale[0] == place.scale[1]
    assert np.allclose(place.apply(middle), [[target.width / 2, target.height / 2]])


@pytest.mark.parametrize("fit", ["", "Letterbox", "pad"])
def test_unknown_fits_are_refused(fit: str) -> None:
    with pytest.raises(SettingError, match="letterbox, crop, stretch") as caught:
        placement(HINT, HINT, fit)
    assert f"found '{fit}'" in str(caught.value)


def test_face_near_the_edge_of_a_wide_photo_stays_on_the_hint() -> None:
    photo = Extent(1920, 1080)
    points = painter.keypoints_for((0.08 * photo.width, 540), 180)
    picture = drawing.draw_frame(frame(photo, points), HINT, "letterbox")
    assert [spans(pixels) for pixels in discs(picture)] == [[DIAMETER, DIAMETER]] * 5
    assert not drawing.draw_frame(frame(photo, points), HINT, "crop").any()


# --- the style ------------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", [Extent(512, 512), Extent(4000, 3000)], ids=str)
@pytest.mark.parametrize("fit", FITS)
def test_points_have_radius_10_whatever_the_size_of_the_photo(photo: Extent, fit: str) -> None:
    points = centred(photo)
    picture = drawing.draw_frame(frame(photo, points), HINT, fit)
    landed = placement(photo, HINT, fit).apply(points.astype(np.float32)).astype(int)
    for pixels, middle in zip(discs(picture), landed, strict=True):
        assert spans(pixels) == [DIAMETER, DIAMETER]
        assert pixels.min(axis=0).tolist() == (middle - 10).tolist()


def test_only_full_and_dimmed_colours_occur() -> None:
    picture = drawing.draw_frame(frame(HINT, centred(HINT)), HINT, "letterbox")
    sticks = [
        tuple(int(0.6 * channel) for channel in POINT_COLOURS[outer]) for outer in (0, 1, 3, 4)
    ]
    expected = {(0, 0, 0), *sticks, *(tuple(map(int, colour)) for colour in POINT_COLOURS)}
    assert set(map(tuple, np.unique(picture.reshape(-1, 3), axis=0).tolist())) == expected


@pytest.mark.parametrize("outer", [0, 1, 3, 4])
def test_sticks_join_outer_points_to_the_nose(outer: int) -> None:
    points = centred(HINT)
    picture = drawing.draw_frame(frame(HINT, points), HINT, "letterbox")
    x, y = np.round((points[outer] + points[2]) / 2).astype(int)
    assert picture[y, x].tolist() == [int(0.6 * channel) for channel in POINT_COLOURS[outer]]


def test_sticks_are_nine_pixels_wide_in_the_middle() -> None:
    points = np.array([[300, 500], [-900, 0], [500, 500], [-900, 90], [-900, 50]])
    picture = drawing.draw_frame(frame(HINT, points), HINT, "letterbox")
    # Other sticks end at the nose and reach to the left edge above this one.
    lit = np.flatnonzero((picture[:, 400] == (153, 0, 0)).all(axis=-1))
    assert lit.tolist() == list(range(496, 505))


def test_points_cover_sticks_of_all_faces() -> None:
    first = centred(HINT)
    second = first + (first[0] - first[2]) / 2  # one stick of the first runs over this one's points
    picture = drawing.draw_frame(frame(HINT, first, second), HINT, "letterbox")
    for points in (first, second):
        for (x, y), colour in zip(points.astype(int), POINT_COLOURS, strict=True):
            assert picture[y, x].tolist() == colour.tolist()


# --- batches --------------------------------------------------------------------------------------


def test_frames_keep_their_places_and_an_empty_one_is_black() -> None:
    small = Extent(256, 320)
    first, last = centred(small), centred(small, 0.9)
    frames = (frame(small, first), FrameFaces(small, ()), frame(small, last, first))
    pictures = drawing.draw(Faces(frames, RECOGNISER), small)
    assert (tuple(pictures.shape), pictures.dtype) == ((3, 320, 256, 3), torch.float32)
    assert not pictures[1].any()
    assert pictures.amin() == 0
    assert pictures.amax() == 1
    for picture, one in zip(pictures, frames, strict=True):
        expected = drawing.draw_frame(one, small, "letterbox")
        assert np.array_equal((picture * 255).round().byte().numpy(), expected)


def test_several_faces_are_all_drawn() -> None:
    photo = Extent(1016, 508)
    left, right = (painter.keypoints_for((x, 254), 300) for x in (254, 762))
    picture = drawing.draw_frame(frame(photo, left, right), photo, "letterbox")
    assert [spans(pixels)[0] for pixels in discs(picture)] == [508 + DIAMETER] * 5


def test_drawing_leaves_the_faces_alone() -> None:
    one = frame(HINT, centred(HINT))
    before = one.faces[0].keypoints.copy()
    drawing.draw_frame(one, Extent(512, 768), "stretch")
    assert np.array_equal(one.faces[0].keypoints, before)


# --- brightness -----------------------------------------------------------------------------------


def test_brightness_of_sticks_and_points() -> None:
    faces = Faces((frame(HINT, centred(HINT)),), RECOGNISER, KeypointStyle(limbs=0.5, points=0.8))
    picture = drawing.draw(faces, HINT)[0]
    plain = drawing.draw_frame(faces.frames[0], HINT, "letterbox")
    on_points = plain.max(axis=-1) == 255
    assert picture[on_points].amax(dim=-1).unique().tolist() == pytest.approx([0.8])
    assert np.array_equal(picture.amax(dim=-1) > 0, plain.max(axis=-1) > 0)
    on_sticks = plain.max(axis=-1) == 153
    # Levels are cut off to whole numbers: 0.6 * 0.5 * 255 = 76.5.
    assert (picture[on_sticks] * 255).amax(dim=-1).round().unique().tolist() == [76]


@pytest.mark.parametrize(
    ("style", "levels"),
    [(KeypointStyle(limbs=0), {0, 255}), (KeypointStyle(points=0), {0, 153})],
    ids=["no sticks", "no points"],
)
def test_a_part_can_be_left_out(style: KeypointStyle, levels: set[int]) -> None:
    points = centred(HINT)
    picture = drawing.draw_frame(frame(HINT, points), HINT, "letterbox", style)
    assert set(np.unique(picture).tolist()) == levels
    assert all(picture[y, x].any() for x, y in points.astype(int)[[0, 1, 2]])


def test_the_reference_style_is_the_default() -> None:
    one = frame(HINT, centred(HINT))
    picture = drawing.draw(Faces((one,), RECOGNISER), HINT)[0]
    assert np.array_equal(
        (picture * 255).round().byte().numpy(),
        drawing.draw_frame(one, HINT, "letterbox", KeypointStyle(1, 1)),
    )
