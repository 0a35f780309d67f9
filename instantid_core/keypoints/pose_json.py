"""A pose as plain JSON, for workflow files and editors.

{"version": 1, "extent": [width, height], "faces": [[[x, y], ... five points], ...]}, where x and y
are fractions of width and height. Boxes and drawing styles are not part of it.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from ..errors import SettingError
from ..types import Extent, Faces, FrameFaces
from .poses import as_pose, from_keypoints

VERSION = 1
POINTS = 5
LONGEST_TEXT = 1 << 20
"""Characters; a face takes about 200."""
MOST_FACES = 256
LARGEST_SIDE = 1 << 16
FARTHEST = 100.0
"""Largest fraction: points may lie outside the picture, but stay finite."""


def to_json(pose: Faces) -> str:
    """The faces of one picture as JSON. Raises SettingError for several pictures."""
    if len(pose.frames) != 1:
        raise SettingError(
            f"A pose in JSON describes one picture, found {len(pose.frames)}. Store them one by "
            "one."
        )
    (frame,) = pose.frames
    faces = [(face.keypoints.astype(np.float64) / frame.extent).tolist() for face in frame.faces]
    return json.dumps({"version": VERSION, "extent": list(frame.extent), "faces": faces})


def from_json(text: str) -> Faces:
    """The pose in a JSON text. Raises SettingError when it is none."""
    if len(text) > LONGEST_TEXT:
        raise SettingError(
            f"A pose in JSON has at most {LONGEST_TEXT} characters, found {len(text)}. Is it the "
            "right text?"
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"The pose cannot be read as JSON: {error}.") from error
    if not isinstance(data, dict):
        raise SettingError(
            f"A pose in JSON is an object with version, extent and faces, found {_shown(data)}."
        )
    if data.get("version") != VERSION:
        raise SettingError(
            f"This pose has version {_shown(data.get('version'))}, expected {VERSION}. It was "
            "written by another version of InstantID Compose: update, or make the pose again."
        )
    extent = _extent(data.get("extent"))
    faces = data.get("faces")
    if not isinstance(faces, list):
        raise SettingError(f"A pose's faces are a list, found {_shown(faces)}.")
    if len(faces) > MOST_FACES:
        raise SettingError(f"A pose has at most {MOST_FACES} faces, found {len(faces)}.")
    detections = tuple(from_keypoints(_points(face) * extent) for face in faces)
    return as_pose((FrameFaces(extent, detections),))


def _extent(value: Any) -> Extent:
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(type(side) is int and 0 < side <= LARGEST_SIDE for side in value)
    ):
        return Extent(*value)
    raise SettingError(
        f"A pose's extent is [width, height] in whole pixels, found {_shown(value)}."
    )


def _points(face: Any) -> np.ndarray:
    """[5, 2] fractions, float64."""
    if (
        isinstance(face, list)
        and len(face) == POINTS
        and all(isinstance(point, list) and len(point) == 2 for point in face)
        and all(_is_fraction(value) for point in face for value in point)
    ):
        return np.array(face, np.float64)
    raise SettingError(
        "A face in a pose is five points [x, y]: left eye, right eye, nose, left and right corner "
        f"of the mouth, as fractions of width and height. Found {_shown(face)}."
    )


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= FARTHEST and math.isfinite(value)


def _shown(value: Any, longest: int = 80) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # the decoder goes deeper than the encoder
        return "lists deep in each other"
    return text if len(text) <= longest else text[: longest - 3] + "..."
