"""Proportions of a face, separated from its pose and transferred to another pose.

Five points show a face's proportions and the direction of its head together. Both are estimated by
turning the model face, whose proportions may vary as people's do, until it meets the points: the
most probable pair. Laying one face's points on another's by a similarity would take the direction
along, and flatten a turned head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import NoFaceError, SettingError
from ..types import Detection, Faces
from .geometry import FACE_MODEL, oval_of_points
from .poses import View, as_pose

SPREAD = np.array([0.06, 0.11, 0.075, 0.012])
"""Spread of faces about the model face (standard deviation of the logarithm): span of the eyes,
width of the mouth, length of the nose, distance from the eyes to the mouth. As in photographs of 33
people, where one person's photos differ as much, by expression and by the detector's errors. The
last varies least, so that it sets the scale."""
YAW_SPREAD, PITCH_SPREAD = 30.0, 10.0
"""Of heads in photos, degrees."""
ROLL_SPREAD = 90.0
"""So wide that roll is free; as are size and place."""
FREE = 100.0
NOISE = 0.006
"""Of found keypoints, in heights of the face."""
ROUNDS = 40
"""Of Levenberg and Marquardt's method, which settles in about ten."""
STEPS = np.array([1e-3] * 3 + [1e-5] * 7)
"""For differences: degrees, then fractions."""
DONE = 1e-12


@dataclass(frozen=True)
class FittedFace:
    """The model face, turned and shaped to meet five keypoints."""

    numbers: np.ndarray
    """[10]: yaw, pitch and roll in degrees, logarithm of the size, x, y of the middle of the eyes,
    and logarithms of the four proportions; lengths in `unit` from `origin`."""
    origin: np.ndarray
    """[2] pixels."""
    unit: float
    """Pixels."""

    @property
    def points(self) -> np.ndarray:
        """[5, 2] pixels."""
        return self.origin + self.unit * _projected(self.numbers)

    @property
    def proportions(self) -> np.ndarray:
        """[4]: logarithms, relative to the model face."""
        return self.numbers[6:]

    def shaped(self, proportions: np.ndarray) -> FittedFace:
        """This pose with other proportions."""
        return replace(self, numbers=np.concatenate([self.numbers[:6], proportions]))


def with_proportions(poses: Faces, person: Faces) -> Faces:
    """The poses with one person's proportions: place, size, direction and expression stay.

    person: one face in each of one or more photos, which are averaged; their poses do not matter.
    Raises NoFaceError where it has none, and SettingError where a photo shows several.
    """
    _require_one_person(person)
    known = [fitted(face.keypoints).proportions for face in person.all]
    proportions = np.mean(known, axis=0)
    frames = tuple(
        replace(frame, faces=tuple(_shaped(face, proportions) for face in frame.faces))
        for frame in poses.frames
    )
    return as_pose(frames, poses.style)


def fitted(points: np.ndarray) -> FittedFace:
    """The most probable proportions and pose for keypoints [5, 2] in pixels."""
    found = np.asarray(points, np.float64)
    oval = oval_of_points(found)
    origin, unit = (found[0] + found[1]) / 2, max(oval.size, 1e-6)
    expected = np.zeros(10)
    expected[2] = math.degrees(math.atan2(-oval.down[0], oval.down[1]))
    spread = np.array([YAW_SPREAD, PITCH_SPREAD, ROLL_SPREAD, FREE, FREE, FREE, *SPREAD])
    target = (found - origin) / unit

    def misses(numbers: np.ndarray) -> np.ndarray:
        """[20]: distances from the points and from what is usual, each in its spread."""
        apart = (_projected(numbers) - target) / NOISE
        return np.concatenate([apart.ravel(), (numbers - expected) / spread])

    return FittedFace(_settled(misses, expected), origin, unit)


def _settled(misses: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> np.ndarray:
    """The numbers [10] of the smallest sum of squares, by Levenberg and Marquardt's method."""
    numbers, left, damping = start, misses(start), 1e-2
    for _ in range(ROUNDS):
        slopes = np.stack(
            [(misses(numbers + step) - left) / step.max() for step in np.diag(STEPS)], axis=1
        )
        square = slopes.T @ slopes
        damped = square + damping * np.diag(np.diag(square))
        move = np.linalg.solve(damped, -slopes.T @ left)
        after = misses(numbers + move)
        gain = left @ left - after @ after
        if gain > 0:
            numbers, left = numbers + move, after
        damping *= 0.2 if gain > 0 else 5.0
        if abs(gain) < DONE * (left @ left + DONE):
            break
    return numbers


def _shaped(face: Detection, proportions: np.ndarray) -> Detection:
    own = fitted(face.keypoints)
    # What the model face cannot follow, such as a smile to one side, stays the pose's.
    change = own.shaped(proportions).points - own.points
    return replace(face, keypoints=(face.keypoints + change).astype(np.float32))


def _projected(numbers: np.ndarray) -> np.ndarray:
    """[5, 2]: the shaped model face, turned, as seen from the front."""
    eyes, mouth, nose, drop = np.exp(numbers[6:])
    face = FACE_MODEL * 1.0
    face[:2, 0] *= eyes
    face[3:, 0] *= mouth
    face[2, 1] *= nose
    face[3:, 1] *= drop
    turned = face @ View(*numbers[:3]).rotation.T
    return math.exp(numbers[3]) * turned[:, :2] + numbers[4:6]


def _require_one_person(person: Faces) -> None:
    several = [len(frame.faces) for frame in person.frames if len(frame.faces) > 1]
    if several:
        raise SettingError(
            "shape_of takes the proportions of one person, so one face in each photo; found "
            f"{several[0]} in one. Pick one face with select of InstantID Analyze Faces."
        )
    if not person.count:
        raise NoFaceError(
            "shape_of takes the proportions of one person, and no face was found for it. Connect "
            "faces from InstantID Analyze Faces with on_no_face = error, which says why."
        )
