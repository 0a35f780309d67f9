"""Poses: where the points of every view land, edits, and the way between two poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.recognisers import RECOGNISER

from instantid_core.errors import NoFaceError, SettingError
from instantid_core.keypoints import drawing, poses
from instantid_core.keypoints.poses import FacePlacement, PoseEdit
from instantid_core.types import Box, Detection, Extent, Face, Faces, FrameFaces, KeypointStyle

SIZES = [Extent(512, 512), Extent(1016, 1016), Extent(1536, 768)]
SQUARE = Extent(1016, 1016)
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)], np.uint8)
# Front keypoints that SceneWorks uses for head-and-shoulders portraits.
SCENEWORKS = [
    (0.4033, 0.342),
    (0.5938, 0.3393),
    (0.5014, 0.4317),
    (0.4298, 0.5353),
    (0.5771, 0.5334),
]
USUAL = FacePlacement()
IN_TURN = [(view, SIZES[number % len(SIZES)]) for number, view in enumerate(poses.VIEWS)]
"""Every view, and every size: neither changes what the other does."""


def points_of(faces: Faces) -> np.ndarray:
    return faces.frames[0].faces[0].keypoints.astype(np.float64)


def middles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle of the eyes, middle of the mouth."""
    return points[:2].mean(axis=0), points[3:].mean(axis=0)


def stated(view: str, where: FacePlacement, extent: Extent) -> np.ndarray:
    """The geometry of the documentation, written out point by point with plain trigonometry."""
    yaw, pitch, roll = (np.radians(angle) for angle in poses.VIEWS[view])
    turned = []
    for x, y, z in poses.FACE_MODEL - poses.PIVOT:
        x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
        y, z = y * np.cos(pitch) - z * np.sin(pitch), z * np.cos(pitch) + y * np.sin(pitch)
        turned.append((x * np.cos(roll) - y * np.sin(roll), y * np.cos(roll) + x * np.sin(roll)))
    unit, eyes = where.face_height * extent.height, (turned[0][1] + turned[1][1]) / 2
    return np.array(
        [
            (
                where.center_x * extent.width + unit * x,
                where.eye_line * extent.height + unit * (y - eyes),
            )
            for x, y in turned
        ]
    )


def disc_middles(faces: Faces, extent: Extent) -> np.ndarray:
    """[5, 2] pixels: the middle of each drawn disc, measured without sticks. Discs that others
    cover in part are measured one colour at a time."""
    found = []
    for number, colour in enumerate(COLOURS):
        lone = replace(faces.frames[0].faces[0], keypoints=np.full((5, 2), -500.0, np.float32))
        lone.keypoints[number] = faces.frames[0].faces[0].keypoints[number]
        frame = FrameFaces(extent, (lone,))
        picture = drawing.draw_frame(frame, extent, "letterbox", KeypointStyle(0, 1))
        lit = np.argwhere((picture == colour).all(axis=-1))[:, ::-1]
        found.append(lit.mean(axis=0) + 0.5)
    return np.array(found)


# --- sheets ---------------------------------------------------------------------------------------


def test_a_sheet_has_a_frame_for_each_view_as_pose_makes_it() -> None:
    where, names = FacePlacement(0.3, 0.4, 0.6), ["up", "front", "profile_left"]
    sheet = poses.pose_sheet(names, where, SIZES[2])
    assert len(sheet.frames) == 3
    for frame, name in zip(sheet.frames, names, strict=True):
        alone = poses.pose(name, where, SIZES[2]).frames[0]
        assert frame.extent == SIZES[2]
        assert np.array_equal(frame.faces[0].keypoints, alone.faces[0].keypoints)


def test_a_sheet_without_views_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one view, found none switched on"):
        poses.pose_sheet([], USUAL, SQUARE)


# --- views ----------------------------------------------------------------------------------------


def test_there_are_eleven_views_on_both_sides() -> None:
    assert len(poses.VIEWS) == len(set(poses.VIEWS.values())) == 11
    for name, view in poses.VIEWS.items():
        if name.endswith("_left"):
            other = poses.VIEWS[name.replace("_left", "_right")]
            assert (other.yaw, other.roll) == (-view.yaw, -view.roll)


def test_front_is_the_published_head_and_shoulders() -> None:
    found = points_of(poses.pose("front", USUAL, SQUARE)) / SQUARE
    assert abs(found - SCENEWORKS).max() < 0.005


@pytest.mark.parametrize(("view", "extent"), IN_TURN, ids=str)
def test_drawn_points_are_where_the_geometry_says(view: str, extent: Extent) -> None:
    faces = poses.pose(view, USUAL, extent)
    wanted = stated(view, USUAL, extent)
    assert abs(disc_middles(faces, extent) - wanted).max() < 1


@pytest.mark.parametrize(("view", "extent"), IN_TURN, ids=str)
def test_placement_holds_in_every_view(view: str, extent: Extent) -> None:
    where = FacePlacement(face_height=0.4, eye_line=0.45, center_x=0.3)
    points = points_of(poses.pose(view, where, extent))
    assert middles(points)[0][1] == pytest.approx(0.45 * extent.height, abs=0.01)
    assert abs(points - stated(view, where, extent)).max() < 0.01


@pytest.mark.parametrize("extent", [*SIZES, Extent(832, 1216), Extent(768, 1344)], ids=str)
def test_usual_placement_keeps_every_point_in_the_picture(extent: Extent) -> None:
    points = np.array([points_of(poses.pose(view, USUAL, extent)) for view in poses.VIEWS])
    assert ((points > 10) & (points < np.array(extent) - 10)).all()


def test_face_height_is_that_of_the_box() -> None:
    frame = poses.pose("front", USUAL, SQUARE).frames[0]
    assert frame.faces[0].box.height == pytest.approx(0.53 * SQUARE.height, rel=0.01)


def test_views_turn_as_they_are_called() -> None:
    front = points_of(poses.pose("front", USUAL, SQUARE))
    for name, view in poses.VIEWS.items():
        points = points_of(poses.pose(name, USUAL, SQUARE))
        (eyes, mouth), nose = middles(points), points[2]
        aside = nose[0] - (eyes[0] + mouth[0]) / 2
        assert np.sign(round(aside, 3)) == np.sign(view.yaw) or view.roll
        assert np.sign(round(points[1, 1] - points[0, 1], 3)) == np.sign(view.roll)
        lifted = (front[2, 1] - middles(front)[0][1]) - (nose[1] - eyes[1])
        assert not view.pitch or np.sign(lifted) == np.sign(view.pitch)
        assert points[0, 0] < points[1, 0], "the image-left eye comes first"
        assert points[3, 0] < points[4, 0]


@pytest.mark.parametrize("view", ["slight", "quarter", "profile", "tilted"])
def test_left_is_right_in_the_mirror(view: str) -> None:
    left, right = (poses.pose(f"{view}_{side}", USUAL, SQUARE) for side in ("left", "right"))
    flipped = poses.apply_edit(left, PoseEdit(mirror=True))
    assert np.allclose(points_of(flipped), points_of(right), atol=1e-3)
    assert np.allclose(flipped.all[0].box, right.all[0].box, atol=1e-3)


def test_a_pose_is_nobody() -> None:
    faces = poses.pose("up", USUAL, SQUARE)
    assert (faces.recogniser, faces.known, faces.count) == (None, (), 1)
    assert faces.frames[0].extent == SQUARE


@pytest.mark.parametrize(
    ("view", "where", "found"),
    [
        ("back", USUAL, "found 'back'"),
        ("front", FacePlacement(face_height=0), "face_height must be greater than 0"),
        ("front", FacePlacement(eye_line=float("nan")), "eye_line must be a finite number"),
        ("front", FacePlacement(center_x=float("inf")), "center_x must be a finite number"),
    ],
)
def test_what_has_no_meaning_is_refused(view: str, where: FacePlacement, found: str) -> None:
    with pytest.raises(SettingError, match=found):
        poses.pose(view, where, SQUARE)


# --- edits ----------------------------------------------------------------------------------------


def photo_faces(*points: np.ndarray, extent: Extent = SQUARE) -> Faces:
    """Faces as Analyze Faces gives them."""
    made = (
        Face(poses.box_of_points(p), 0.8, p.astype(np.float32), np.ones(512, np.float32))
        for p in points
    )
    return Faces((FrameFaces(extent, tuple(made)),), RECOGNISER)


@pytest.fixture
def group() -> Faces:
    places = [FacePlacement(0.3, 0.4, 0.25), FacePlacement(0.25, 0.5, 0.7)]
    views = "slight_left", "tilted_right"
    return photo_faces(
        *(points_of(poses.pose(v, w, SQUARE)) for v, w in zip(views, places, strict=True))
    )


def test_an_edit_of_nothing_changes_no_bit(group: Faces) -> None:
    same = poses.apply_edit(group, PoseEdit())
    for before, after in zip(group.all, same.all, strict=True):
        assert np.array_equal(before.keypoints, after.keypoints)
        assert before.box == after.box
    assert (same.recogniser, same.known) == (None, ()), "a pose is nobody's"
    assert len(group.known) == 2


def test_scale_and_rotation_act_around_each_face(group: Faces) -> None:
    changed = poses.apply_edit(group, PoseEdit(scale=1.5, rotate=90))
    for before, after in zip(group.all, changed.all, strict=True):
        old, new = before.keypoints.astype(np.float64), after.keypoints.astype(np.float64)
        middle = old.mean(axis=0)
        assert np.allclose(new.mean(axis=0), middle, atol=1e-3)
        clockwise = np.stack([-(old - middle)[:, 1], (old - middle)[:, 0]], axis=1)
        assert np.allclose(new - middle, 1.5 * clockwise, atol=1e-3)
        assert after.box.height == pytest.approx(1.5 * before.box.height)


def test_mirroring_flips_the_picture_and_renames_the_points(group: Faces) -> None:
    flipped = poses.apply_edit(group, PoseEdit(mirror=True))
    for before, after in zip(group.all, flipped.all, strict=True):
        assert np.allclose(
            after.keypoints[[1, 0, 2, 4, 3], 0], SQUARE.width - before.keypoints[:, 0]
        )
        assert np.array_equal(after.keypoints[[1, 0, 2, 4, 3], 1], before.keypoints[:, 1])
        assert after.keypoints[0, 0] < after.keypoints[1, 0]
    again = poses.apply_edit(flipped, PoseEdit(mirror=True))
    assert np.allclose(
        [f.keypoints for f in again.all], [f.keypoints for f in group.all], atol=1e-3
    )


def test_moving_goes_by_fractions_of_the_picture() -> None:
    extent = Extent(800, 400)
    faces = poses.pose("front", USUAL, extent)
    after = poses.apply_edit(faces, PoseEdit(move=(0.1, -0.25)))
    assert np.allclose(points_of(after) - points_of(faces), [80, -100], atol=1e-3)
    assert np.allclose(np.subtract(after.all[0].box, faces.all[0].box), [80, -100] * 2)


def test_edits_leave_what_came_in_alone(group: Faces) -> None:
    before = np.array([face.keypoints for face in group.all])
    assert before.size
    poses.apply_edit(group, PoseEdit(2, 30, True, (0.1, 0.1)))
    assert np.array_equal(before, [face.keypoints for face in group.all])


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (PoseEdit(scale=0), "scale must be greater than 0"),
        (PoseEdit(scale=float("nan")), "scale must be a finite number"),
        (PoseEdit(rotate=float("inf")), "rotate must be a finite number"),
        (PoseEdit(move=(0, float("nan"))), "move down must be a finite number"),
    ],
)
def test_edits_without_meaning_are_refused(group: Faces, edit: PoseEdit, found: str) -> None:
    with pytest.raises(SettingError, match=found):
        poses.apply_edit(group, edit)


def test_style_reaches_the_drawing(group: Faces) -> None:
    plain, faint = (
        drawing.draw(poses.with_style(group, style), SQUARE)
        for style in [KeypointStyle(), KeypointStyle(limbs=0.5, points=0.5)]
    )
    without = drawing.draw(poses.with_style(group, KeypointStyle(0, 0)), SQUARE)
    assert faint.max() == pytest.approx(0.5, abs=1 / 255)
    assert torch.equal(faint > 0, plain > 0)
    assert not without.any()


@pytest.mark.parametrize("style", [KeypointStyle(1.5, 1), KeypointStyle(1, float("nan"))])
def test_opacities_outside_0_to_1_are_refused(group: Faces, style: KeypointStyle) -> None:
    with pytest.raises(SettingError, match="goes from 0 to 1"):
        poses.with_style(group, style)


# --- from one pose to another ---------------------------------------------------------------------


def test_interpolation_goes_straight_from_the_first_to_the_last() -> None:
    a, b = (poses.pose(view, USUAL, SQUARE) for view in ("quarter_left", "quarter_right"))
    between = poses.interpolate_poses(a, b, 5)
    assert [len(frame.faces) for frame in between.frames] == [1] * 5
    found = np.array([frame.faces[0].keypoints for frame in between.frames], np.float64)
    assert np.array_equal(found[0], points_of(a))
    assert np.array_equal(found[-1], points_of(b))
    assert np.allclose(np.diff(found, axis=0), (found[-1] - found[0]) / 4, atol=1e-3)


def test_the_last_pose_is_letterboxed_onto_the_first() -> None:
    a, b = poses.pose("front", USUAL, SQUARE), poses.pose("up", USUAL, Extent(2000, 1000))
    last = poses.interpolate_poses(a, b, 2).frames[-1]
    assert last.extent == SQUARE
    wanted = points_of(b) * 0.508 + [0, 254]
    assert np.allclose(last.faces[0].keypoints, wanted, atol=1e-3)


def test_the_style_of_the_first_pose_is_kept() -> None:
    a, b = poses.pose("front", USUAL, SQUARE), poses.pose("up", USUAL, SQUARE)
    style = KeypointStyle(0.5, 0.7)
    assert poses.interpolate_poses(poses.with_style(a, style), b, 3).style == style


def test_poses_that_do_not_pair_are_refused(group: Faces) -> None:
    front = poses.pose("front", USUAL, SQUARE)
    empty = Faces((FrameFaces(SQUARE, ()),), "")
    twice = Faces(front.frames * 2, "")
    with pytest.raises(SettingError, match="faces_a has 1 faces and faces_b 2"):
        poses.interpolate_poses(front, group, 3)
    with pytest.raises(SettingError, match="faces_a has 1 faces and faces_b 0"):
        poses.interpolate_poses(front, empty, 3)
    with pytest.raises(NoFaceError, match="Neither pose has a face"):
        poses.interpolate_poses(empty, empty, 3)
    with pytest.raises(SettingError, match="faces_b holds the faces of 2 pictures"):
        poses.interpolate_poses(front, twice, 3)
    with pytest.raises(SettingError, match="steps must be at least 2"):
        poses.interpolate_poses(front, front, 1)


def test_a_face_without_extent_has_no_size() -> None:
    still = poses.from_keypoints(np.full((5, 2), 7.0))
    assert still.box == Box(7, 7, 7, 7)
    assert isinstance(still, Detection)
