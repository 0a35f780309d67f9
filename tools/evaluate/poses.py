"""Poses for prompts: keypoints of painted faces, or of the core's model face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instantid_core.keypoints import (
    FACE_MODEL,
    PIVOT,
    View,
    as_pose,
    from_json,
    from_keypoints,
    placement,
    to_json,
)
from instantid_core.types import Extent, FrameFaces

from .photos import POSING
from .settings import Placing, Setup

GROUP_CENTERS = (0.27, 0.73)
"""Horizontal positions of two people's faces, relative to the picture's width."""
EYES = 2


def pose_text(points: Sequence[np.ndarray], size: tuple[int, int]) -> str:
    """Pose JSON of keypoints, each [5, 2] pixels, on a picture of width and height `size`."""
    faces = tuple(from_keypoints(np.asarray(each, np.float32)) for each in points)
    return to_json(as_pose((FrameFaces(Extent(*size), faces),)))


def points_of(pose: str) -> list[np.ndarray]:
    """Keypoints of a pose JSON, each [5, 2] pixels."""
    return [face.keypoints for face in from_json(pose).frames[0].faces]


def letterboxed(points: np.ndarray, photo: Extent, size: tuple[int, int]) -> np.ndarray:
    """Keypoints of a photo, transferred to a picture of another size."""
    return placement(photo, Extent(*size), "letterbox").apply(points)


def model_face(
    yaw: float, placing: Placing, size: tuple[int, int], center_x: float = 0.5
) -> np.ndarray:
    """Keypoints [5, 2] in pixels of the core's model face turned by `yaw` degrees."""
    width, height = size
    turned = ((FACE_MODEL - PIVOT) @ View(yaw).rotation.T)[:, :2]
    eye_line = turned[:EYES, 1].mean()
    offset = np.array([center_x * width, placing.eye_line * height])
    return offset + (turned - [0, eye_line]) * (placing.face_height * height)


@dataclass(frozen=True)
class ModelFacePoses:
    """Poses of the core's model face."""

    setup: Setup

    def view(self, number: int, yaw: float) -> str:
        """Pose with one turned face; the same for every number."""
        del number
        size = self.setup.size
        return pose_text([model_face(yaw, self.setup.placing, size)], size)

    def pair(self, number: int) -> str:
        """Pose with two faces side by side; the same for every number."""
        del number
        size, placing = self.setup.group_size, self.setup.group_placing
        return pose_text([model_face(0, placing, size, x) for x in GROUP_CENTERS], size)


@dataclass(frozen=True)
class PaintedPoses:
    """Poses of painted people who are otherwise not in the evaluation."""

    setup: Setup

    def view(self, number: int, yaw: float) -> str:
        """Pose with one face, of a different person for each number, turned by `yaw` degrees."""
        from training.world import HELD_OUT, Person, Pose, Scene, paint

        width, height = self.setup.size
        scene = Scene(
            (Person(HELD_OUT[-1 - number % POSING], Pose(yaw)),), width=width, height=height
        )
        return pose_text(list(paint(scene).keypoints), self.setup.size)

    def pair(self, number: int) -> str:
        """Pose with two people, different ones for each number."""
        from training.world import HELD_OUT, paint, random_scene

        rng = np.random.default_rng((number, 2))
        scene = random_scene(rng, HELD_OUT[-POSING:], *self.setup.group_size, people=2)
        return pose_text(list(paint(scene).keypoints), self.setup.group_size)


Poses = ModelFacePoses | PaintedPoses
