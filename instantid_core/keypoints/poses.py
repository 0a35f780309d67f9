"""Poses as data: views of a model face, edits of faces, and interpolation between two poses.

A pose is a `Faces` value whose faces are nobody's: keypoints and boxes without embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..errors import NoFaceError, SettingError, finite, one_of
from ..types import REFERENCE_STYLE, Box, Detection, Extent, Faces, FrameFaces, KeypointStyle
from .geometry import FACE_MODEL, MIRRORED_ORDER, box_of_points, moved, placement

PIVOT = np.array([0.0, 0.18, -0.30])
"""Middle of the head, around which it turns, in the units of `FACE_MODEL`."""


class View(NamedTuple):
    """Turn of a head, in degrees: yaw moves the nose to image right, pitch lifts it, roll
    turns the face clockwise on screen."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """[3, 3]: yaw first, then pitch, then roll."""
        yaw, pitch, roll = map(math.radians, self)
        about_y = [
            [math.cos(yaw), 0, math.sin(yaw)],
            [0, 1, 0],
            [-math.sin(yaw), 0, math.cos(yaw)],
        ]
        about_x = [
            [1, 0, 0],
            [0, math.cos(pitch), -math.sin(pitch)],
            [0, math.sin(pitch), math.cos(pitch)],
        ]
        about_z = [
            [math.cos(roll), -math.sin(roll), 0],
            [math.sin(roll), math.cos(roll), 0],
            [0, 0, 1],
        ]
        return np.array(about_z) @ np.array(about_x) @ np.array(about_y)


VIEWS = {
    "front": View(),
    "slight_left": View(yaw=-18),
    "slight_right": View(yaw=18),
    "quarter_left": View(yaw=-40),
    "quarter_right": View(yaw=40),
    "profile_left": View(yaw=-70),
    "profile_right": View(yaw=70),
    "up": View(pitch=22),
    "down": View(pitch=-22),
    "tilted_left": View(roll=-18),
    "tilted_right": View(roll=18),
}
"""Left and right are those of the picture. A profile stops short of 90 degrees, where both eyes
would be one point."""


class FacePlacement(NamedTuple):
    """Place of a view, as fractions of the picture.

    With a picture of W x H pixels the point p of `FACE_MODEL`, turned about `PIVOT`, lands at
    x = center_x * W + s * (p - PIVOT).x and y = eye_line * H + s * (p - eyes).y, without
    perspective; s = face_height * H, and eyes is the turned middle of the eyes.
    """

    face_height: float = 0.53
    """Height of the face seen from the front, upper forehead to chin, of the picture's height."""
    eye_line: float = 0.34
    """Height at which the middle between the eyes lies, of the picture's height from its top."""
    center_x: float = 0.5
    """Middle of the head, as a fraction of the picture's width; a turned face moves off it."""


class PoseEdit(NamedTuple):
    """A change to faces. Scale and rotation act around the middle of each face's points."""

    scale: float = 1.0
    rotate: float = 0.0
    """Degrees, clockwise on screen."""
    mirror: bool = False
    """Flips the whole picture, before the rest."""
    move: tuple[float, float] = (0.0, 0.0)
    """To the right and down, as fractions of width and height."""


def frame_extent(width: int, height: int) -> Extent:
    """The size of the picture to place faces on. Raises SettingError when it has no pixels."""
    if width < 1 or height < 1:
        raise SettingError(
            f"A pose needs a picture of at least 1 x 1 pixels, found {width} x {height}. Look at "
            "what is connected to width and height."
        )
    return Extent(width, height)


def pose(preset: str, where: FacePlacement, extent: Extent) -> Faces:
    """One face in one of the `VIEWS`. Raises SettingError for what has no meaning."""
    one_of("preset", preset, VIEWS)
    for name, value in where._asdict().items():
        finite(name, value)
    _require_positive("face_height", where.face_height)
    points = _project(VIEWS[preset], where, extent)
    return as_pose((FrameFaces(extent, (from_keypoints(points),)),))


def pose_sheet(presets: Sequence[str], where: FacePlacement, extent: Extent) -> Faces:
    """One frame with one face for each of some `VIEWS`, in their order.

    Raises SettingError for no view, and as `pose` does.
    """
    if not presets:
        raise SettingError(
            "A pose sheet needs at least one view, found none switched on. Switch on one of "
            f"{', '.join(VIEWS)}."
        )
    return as_pose(tuple(pose(preset, where, extent).frames[0] for preset in presets))


def from_keypoints(points: np.ndarray) -> Detection:
    """A face that has only keypoints [5, 2]: the rest follows from the proportions of a face."""
    return Detection(box_of_points(points), 1.0, points.astype(np.float32))


def as_pose(frames: tuple[FrameFaces, ...], style: KeypointStyle = REFERENCE_STYLE) -> Faces:
    """Frames of plain detections: embeddings of faces are left behind."""
    return Faces(
        tuple(
            replace(frame, faces=tuple(Detection(f.box, f.score, f.keypoints) for f in frame.faces))
            for frame in frames
        ),
        recogniser=None,
        style=style,
    )


def apply_edit(faces: Faces, edit: PoseEdit) -> Faces:
    """The faces with an edit applied, as a pose. An edit of nothing leaves every bit as it was."""
    for name, value in (("scale", edit.scale), ("rotate", edit.rotate), *_named_move(edit)):
        finite(name, value)
    _require_positive("scale", edit.scale)
    frames = tuple(
        replace(frame, faces=tuple(_edit(face, edit, frame.extent) for face in frame.faces))
        for frame in faces.frames
    )
    return as_pose(frames, faces.style)


def with_style(faces: Faces, style: KeypointStyle) -> Faces:
    """The same faces, drawn in another style. Raises SettingError for opacities outside 0..1."""
    for name, value in style._asdict().items():
        if not 0 <= value <= 1:
            raise SettingError(f"The opacity of {name} goes from 0 to 1, found {value}.")
    return replace(faces, style=style)


def interpolate_poses(a: Faces, b: Faces, steps: int) -> Faces:
    """One frame per step from a to b, both included, in the style of a.

    Faces are paired in the order they come in and every point goes along a straight line. A b of
    another size is laid on a's by letterbox first. Raises SettingError when a pose has several
    frames, when the numbers of faces differ, and for fewer than 2 steps; NoFaceError without faces.
    """
    if steps < 2:
        raise SettingError(f"steps must be at least 2, pose a and pose b; found {steps}.")
    first, last = _one_frame(a, "faces_a"), _one_frame(b, "faces_b")
    _require_pairs(first, last)
    place = placement(last.extent, first.extent, "letterbox")
    if last.extent != first.extent:
        last = FrameFaces(first.extent, tuple(moved(face, place) for face in last.faces))
    shares = [i / (steps - 1) for i in range(steps)]
    return as_pose(tuple(_between(first, last, share) for share in shares), a.style)


def _project(view: View, where: FacePlacement, extent: Extent) -> np.ndarray:
    """[5, 2] pixels."""
    turned = ((FACE_MODEL - PIVOT) @ view.rotation.T)[:, :2]
    eye_line = turned[:2, 1].mean()
    offset = np.array([where.center_x * extent.width, where.eye_line * extent.height])
    return offset + (turned - [0, eye_line]) * (where.face_height * extent.height)


def _edit(face: Detection, edit: PoseEdit, extent: Extent) -> Detection:
    if edit.mirror:
        face = _mirrored(face, extent.width)
    if edit._replace(mirror=False) == PoseEdit():
        return face
    points = face.keypoints.astype(np.float64)
    middle, shift = points.mean(axis=0), np.array(edit.move) * extent
    turn = _turn(edit)
    return Detection(
        _mapped(face.box, lambda p: middle + shift + turn @ (p - middle), edit.scale),
        face.score,
        (middle + shift + (points - middle) @ turn.T).astype(np.float32),
    )


def _turn(edit: PoseEdit) -> np.ndarray:
    angle = math.radians(edit.rotate)
    clockwise = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return edit.scale * np.array(clockwise)


def _mirrored(face: Detection, width: int) -> Detection:
    points = face.keypoints[MIRRORED_ORDER].copy()
    points[:, 0] = width - points[:, 0]
    box = Box(width - face.box.x1, face.box.y0, width - face.box.x0, face.box.y1)
    return Detection(box, face.score, points)


def _mapped(box: Box, to: Callable[[np.ndarray], np.ndarray], scale: float) -> Box:
    """The box around the place where its middle goes; it stays upright."""
    x, y = to(np.array(box.centre)).tolist()
    half_width, half_height = box.width * scale / 2, box.height * scale / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def _between(first: FrameFaces, last: FrameFaces, share: float) -> FrameFaces:
    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (1 - share) * np.asarray(a, np.float64) + share * np.asarray(b, np.float64)

    pairs = zip(first.faces, last.faces, strict=True)
    faces = tuple(
        Detection(
            Box(*mix(np.array(a.box), np.array(b.box)).tolist()),
            min(a.score, b.score),
            mix(a.keypoints, b.keypoints).astype(np.float32),
        )
        for a, b in pairs
    )
    return FrameFaces(first.extent, faces)


def _one_frame(faces: Faces, name: str) -> FrameFaces:
    if len(faces.frames) != 1:
        raise SettingError(
            f"{name} holds the faces of {len(faces.frames)} pictures, expected one pose. Analyse a "
            "single photo, or use InstantID Pose."
        )
    return faces.frames[0]


def _require_pairs(first: FrameFaces, last: FrameFaces) -> None:
    if not first.faces and not last.faces:
        raise NoFaceError("Neither pose has a face, so there is nothing to interpolate.")
    if len(first.faces) != len(last.faces):
        raise SettingError(
            f"faces_a has {len(first.faces)} faces and faces_b {len(last.faces)}; between two "
            "poses every face needs a partner. Pick as many faces in both."
        )


def _require_positive(name: str, value: float) -> None:
    if value <= 0:
        raise SettingError(f"{name} must be greater than 0, found {value:g}.")


def _named_move(edit: PoseEdit) -> tuple[tuple[str, float], ...]:
    return ("move to the right", edit.move[0]), ("move down", edit.move[1])
