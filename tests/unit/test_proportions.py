"""One person's proportions in another's pose, on painted heads whose points are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from instantid_core.errors import NoFaceError, SettingError
from instantid_core.keypoints import VIEWS, FacePlacement, as_pose, from_keypoints, pose
from instantid_core.keypoints.geometry import oval_of_points
from instantid_core.keypoints.proportions import fitted, with_proportions
from instantid_core.types import Extent, Faces, FrameFaces
from training.world import HELD_OUT, Person, Pose, Scene, paint
from training.world.scenes import SIDE as PIXELS
from training.world.scenes import random_pose

SIDE = Extent(PIXELS, PIXELS)
PAIRS = 60


class Trial(NamedTuple):
    """Keypoints [5, 2] of a photo, of another person's pose, and of the first person in it."""

    photo: np.ndarray
    other: np.ndarray
    wanted: np.ndarray


def faces_at(*points: np.ndarray) -> Faces:
    return as_pose((FrameFaces(SIDE, tuple(map(from_keypoints, points))),))


def painted(number: int, turn: Pose, seed: int) -> np.ndarray:
    return paint(Scene((Person(number, turn, seed=seed),))).keypoints[0]


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    """Both heads turned, each in its own way, with expressions of their own."""
    rng = np.random.default_rng(4)

    def trial() -> Trial:
        me, other = (int(n) for n in rng.choice(HELD_OUT, 2, replace=False))
        mine, theirs = random_pose(rng), random_pose(rng)
        smile = int(rng.integers(1 << 31))
        photo = painted(me, mine, smile + 1)
        return Trial(photo, painted(other, theirs, smile), painted(me, theirs, smile))

    return [trial() for _ in range(PAIRS)]


def error(points: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(points - wanted, axis=1).mean() / oval_of_points(wanted).size)


def refitted(photo: np.ndarray, other: np.ndarray) -> np.ndarray:
    return with_proportions(faces_at(other), faces_at(photo)).all[0].keypoints


def test_the_error_of_anothers_pose_falls_by_more_than_half(trials: list[Trial]) -> None:
    before = np.array([error(each.other, each.wanted) for each in trials])
    after = np.array([error(refitted(each.photo, each.other), each.wanted) for each in trials])
    assert after.mean() < 0.45 * before.mean()
    assert (after < before).mean() > 0.9


def nose_aside(points: np.ndarray) -> float:
    """How far the nose lies from the middle of the eyes along their line, in face heights."""
    across = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
    return float((points[2] - points[:2].mean(axis=0)) @ across / oval_of_points(points).size)


@pytest.mark.parametrize("view", ["quarter_left", "slight_right", "profile_right", "tilted_left"])
def test_a_turned_head_stays_turned(view: str) -> None:
    """Of a photo from the front; a similarity would put the nose between the eyes."""
    photo = painted(HELD_OUT[3], Pose(), 1)
    other = pose(view, FacePlacement(), SIDE).all[0].keypoints.astype(np.float64)
    assert nose_aside(refitted(photo, other)) == pytest.approx(nose_aside(other), abs=0.01)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_the_model_face_is_known(view: str) -> None:
    points = pose(view, FacePlacement(), Extent(1016, 1016)).all[0].keypoints
    found = fitted(points)
    assert np.abs(found.points - points).max() < 3
    yaw, pitch, roll = VIEWS[view]
    assert found.numbers[2] == pytest.approx(roll, abs=2)
    assert np.sign(round(found.numbers[0] / 5)) == np.sign(yaw)
    assert np.sign(round(found.numbers[1] / 10)) == np.sign(pitch)


def test_ones_own_photo_changes_nothing() -> None:
    points = painted(HELD_OUT[5], Pose(20, 5, 8), 2)
    assert refitted(points, points) == pytest.approx(points, abs=1e-4)


def test_place_and_size_of_the_photo_do_not_matter(trials: list[Trial]) -> None:
    photo, other, _ = trials[0]
    elsewhere = photo @ np.array([[0.0, 3.0], [-3.0, 0.0]]) + [900, -40]
    assert refitted(elsewhere, other) == pytest.approx(refitted(photo, other), abs=0.05)


def test_photos_are_averaged_and_poses_keep_their_boxes(trials: list[Trial]) -> None:
    one, two = trials[0].photo, trials[1].photo
    both = Faces((*faces_at(one).frames, *faces_at(two).frames), None)
    poses = faces_at(trials[2].other, trials[3].other)
    found = with_proportions(poses, both)
    assert [face.box for face in found.all] == [face.box for face in poses.all]
    alone = [with_proportions(poses, faces_at(points)).all[0].keypoints for points in (one, two)]
    assert found.all[0].keypoints == pytest.approx(np.mean(alone, axis=0), abs=0.5)


def test_points_in_one_place_do_no_harm() -> None:
    points = np.full((5, 2), 40.0)
    assert np.isfinite(refitted(points, points)).all()


def test_nobody_and_several_people_are_refused(trials: list[Trial]) -> None:
    photo, other, _ = trials[0]
    with pytest.raises(NoFaceError, match=r"^shape_of takes .* one person, and no face"):
        with_proportions(faces_at(other), faces_at())
    with pytest.raises(SettingError, match=r"^shape_of takes .* one face in each photo; found 2"):
        with_proportions(faces_at(other), faces_at(photo, photo))
