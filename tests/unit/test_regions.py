"""Masks of faces, held against outlines computed another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from instantid_core.errors import SettingError
from instantid_core.keypoints import poses, regions
from instantid_core.keypoints.geometry import box_of, box_of_points, oval_of
from instantid_core.keypoints.poses import FacePlacement
from instantid_core.keypoints.regions import FaceShape
from instantid_core.types import Box, Detection, Extent, Faces, FrameFaces

HARD_BOX = FaceShape("box", 0, 0)
SOFT = FaceShape("ellipse", 0.1, 0.2)
SHAPES = [HARD_BOX, FaceShape("box", 0.2, 0.3), FaceShape("ellipse", 0, 0), SOFT]
PICTURE = Extent(96, 64)
CENTRES = [(30.0, 32.0), (52.0, 30.0), (80.0, 36.0)]


def face_at(x: float, y: float, height: float, roll: float = 0.0) -> Detection:
    """A front face of that height around a place."""
    frame = poses.pose("front", FacePlacement(1, 0, 0), Extent(1, 1)).frames[0]
    points = (frame.faces[0].keypoints.astype(np.float64) - [0, 0.1]) * height
    angle = math.radians(roll)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return poses.from_keypoints(points @ turn.T + [x, y])


def frame_of(*faces: Detection, extent: Extent = PICTURE) -> FrameFaces:
    return FrameFaces(extent, faces)


@pytest.fixture
def crowd() -> FrameFaces:
    """Three faces; the first two overlap."""
    sizes = (40, 30, 24)
    return frame_of(*(face_at(x, y, size) for (x, y), size in zip(CENTRES, sizes, strict=True)))


def cells(extent: Extent) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(extent.width) + 0.5, np.arange(extent.height) + 0.5)


# --- one face -------------------------------------------------------------------------------------


def test_a_hard_box_is_the_box() -> None:
    face = Detection(Box(10, 20.4, 30, 50.6), 0.9, face_at(20, 35, 30).keypoints)
    mask = regions.render(frame_of(face), PICTURE, "letterbox", HARD_BOX)
    expected = np.zeros((64, 96), np.float32)
    expected[20:51, 10:30] = 1  # cells whose middle lies inside
    assert mask.dtype == np.float32
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize("roll", [0, 30, -75])
def test_a_hard_ellipse_is_the_oval(roll: float) -> None:
    face = face_at(48, 32, 44, roll)
    mask = regions.render(frame_of(face), PICTURE, "letterbox", FaceShape("ellipse", 0, 0))
    x, y = cells(PICTURE)
    angle = math.radians(roll)
    across = (x - 48) * math.cos(angle) + (y - 32) * math.sin(angle)
    along = (y - 32) * math.cos(angle) - (x - 48) * math.sin(angle)
    value = (across / (0.37 * 44)) ** 2 + (along / 22) ** 2
    sure = abs(value - 1) > 1e-4
    assert np.array_equal(mask[sure], (value <= 1)[sure])


def test_the_box_of_an_oval_touches_it() -> None:
    for roll in (0, 30, -75, 90):
        face = face_at(0, 0, 44, roll)
        angles = np.linspace(0, 2 * np.pi, 10_000)
        outline = np.stack([0.37 * 44 * np.cos(angles), 22 * np.sin(angles)])
        turn = math.radians(roll)
        rows = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        edge = np.array(rows) @ outline
        found = box_of_points(face.keypoints)
        assert np.allclose(found, [*edge.min(axis=1), *edge.max(axis=1)], atol=0.05)


def test_padding_is_a_distance_in_face_heights() -> None:
    face = Detection(Box(30, 20, 50, 40), 0.9, face_at(40, 30, 20).keypoints)
    mask = regions.render(frame_of(face), PICTURE, "letterbox", FaceShape("box", 0.25, 0))
    columns = np.flatnonzero(mask[30])
    assert (columns[0], columns[-1]) == (25, 54)
    assert not mask[15, 25], "corners are round"


def test_the_soft_edge_lies_across_the_outline() -> None:
    face = Detection(Box(20, 12, 60, 52), 0.9, face_at(40, 32, 40).keypoints)
    mask = regions.render(frame_of(face), PICTURE, "letterbox", FaceShape("box", 0, 0.5))
    profile = mask[32, :40]
    steps = np.diff(profile)
    assert np.allclose(steps[(profile[1:] > 0) & (profile[:-1] < 1)][1:-1], 1 / 20)
    assert (profile[19] + profile[20]) / 2 == pytest.approx(0.5)
    assert (profile[9], profile[31]) == (0, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_fall_outwards_from_the_middle(shape: FaceShape) -> None:
    face = face_at(48.5, 32.5, 30)
    mask = regions.render(frame_of(face), PICTURE, "letterbox", shape)
    assert mask[32, 48] == 1
    assert mask.min() == 0
    for line in (mask[32, 48:], mask[32, 48::-1], mask[32:, 48], mask[32::-1, 48]):
        assert (np.diff(line) <= 0).all()


def test_an_ellipse_takes_size_from_the_box_and_direction_from_the_points() -> None:
    guess = face_at(48, 32, 30, roll=20)
    real = Detection(Box(20, 10, 60, 60), 0.9, guess.keypoints)
    oval = oval_of(real)
    assert oval.centre == (40, 35)
    assert oval.box.area == pytest.approx(real.box.area)
    assert np.allclose(oval.down, (-math.sin(math.radians(20)), math.cos(math.radians(20))))


def test_a_face_without_a_box_gets_one_from_its_points() -> None:
    face = face_at(48, 32, 30)
    boxless = Detection(Box(0, 0, 0, 0), 0.9, face.keypoints)
    assert np.allclose(box_of(boxless), face.box)
    for shape in SHAPES:
        with_box, without = (
            regions.render(frame_of(f), PICTURE, "letterbox", shape) for f in (face, boxless)
        )
        assert np.allclose(with_box, without, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_face_without_size_covers_nothing(shape: FaceShape) -> None:
    nothing = poses.from_keypoints(np.full((5, 2), 30.0))
    assert not regions.render(frame_of(nothing), PICTURE, "letterbox", shape).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", [(0, 0), (96, 32), (-3, 64), (48, -200)])
def test_faces_at_and_beyond_the_border(shape: FaceShape, place: tuple[float, float]) -> None:
    """The part inside is what a larger picture shows there."""
    x, y = place
    small = regions.render(frame_of(face_at(x, y, 40)), PICTURE, "letterbox", shape)
    wide = Extent(96 + 200, 64 + 500)
    large = regions.render(
        frame_of(face_at(x + 100, y + 250, 40), extent=wide), wide, "letterbox", shape
    )
    assert np.allclose(small, large[250:314, 100:196], atol=1e-5)


# --- grids and fits -------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["letterbox", "crop", "stretch"])
@pytest.mark.parametrize("grid", [Extent(32, 32), Extent(24, 48), Extent(96, 64)], ids=str)
def test_masks_lie_where_keypoints_are_drawn(fit: str, grid: Extent) -> None:
    """The weight's middle is the face's middle, laid on the grid as keypoints are."""
    from instantid_core.keypoints.geometry import placement

    face = Detection(Box(42, 24, 58, 44), 0.9, face_at(50, 34, 20).keypoints)
    mask = regions.render(frame_of(face), grid, fit, FaceShape("box", 0, 0.5))
    x, y = cells(grid)
    found = [(x * mask).sum() / mask.sum(), (y * mask).sum() / mask.sum()]
    place = placement(PICTURE, grid, fit)
    assert np.allclose(found, place.apply(np.array(face.box.centre)), atol=0.1)
    share = place.scale[0] * place.scale[1]
    assert mask.sum() == pytest.approx(16 * 20 * share, rel=0.12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_coarse_grid_samples_the_same_outline(crowd: FrameFaces, shape: FaceShape) -> None:
    fine = regions.render(crowd, Extent(96 * 5, 64 * 5), "letterbox", shape)
    coarse = regions.render(crowd, PICTURE, "letterbox", shape)
    assert np.allclose(coarse, fine[2::5, 2::5], atol=1e-5)


# --- several faces --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_parts_do_not_overlap_and_lose_nothing(crowd: FrameFaces, shape: FaceShape) -> None:
    parts = regions.partition(crowd, PICTURE, "letterbox", shape)
    whole = regions.render(crowd, PICTURE, "letterbox", shape)
    assert (parts.shape, parts.dtype) == ((3, 64, 96), np.float32)
    assert ((parts > 0).sum(axis=0) <= 1).all()
    assert parts.sum(axis=0).max() <= 1
    assert np.array_equal(parts.sum(axis=0), whole)
    for part, (x, y) in zip(parts, CENTRES, strict=True):
        assert part[int(y), int(x)] == 1, "the middle of a face is its own"


def test_a_part_is_the_single_mask_on_its_own_side(crowd: FrameFaces) -> None:
    parts = regions.partition(crowd, PICTURE, "letterbox", SOFT)
    for face, part in zip(crowd.faces, parts, strict=True):
        alone = regions.render(frame_of(face), PICTURE, "letterbox", SOFT)
        assert np.array_equal(part[part > 0], alone[part > 0])


def test_without_faces_there_is_nothing() -> None:
    empty = frame_of()
    assert not regions.render(empty, PICTURE, "letterbox", SOFT).any()
    assert regions.partition(empty, PICTURE, "letterbox", SOFT).shape == (0, 64, 96)


def test_batches(crowd: FrameFaces) -> None:
    faces = Faces((crowd, frame_of(), frame_of(crowd.faces[0])), "")
    per_frame = regions.frame_masks(faces, PICTURE, "letterbox", SOFT)
    per_face = regions.face_masks(faces, PICTURE, "letterbox", SOFT)
    assert (per_frame.shape, per_frame.dtype) == ((3, 64, 96), torch.float32)
    assert per_face.shape == (5, 64, 96)
    assert not per_frame[1].any()
    assert not per_face[3].any()
    assert torch.equal(per_face[4], per_frame[2])
    assert torch.equal(per_face[:3].sum(0), per_frame[0])


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (("circle", 0, 0), "found 'circle'"),
        (("box", float("nan"), 0), "padding must be a finite number"),
        (("box", 0, float("inf")), "feather must be a finite number"),
        (("box", 0, -0.1), "feather must be 0 or more"),
    ],
)
def test_shapes_without_meaning_are_refused(settings: tuple, found: str) -> None:
    with pytest.raises(SettingError, match=found):
        FaceShape(*settings)
